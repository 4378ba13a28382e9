package main

import (
	"reflect"
	"sort"
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

const metaPackage = "k8s.io/apimachinery/pkg/apis/meta/v1"

// metaOnly are kinds of meta/v1 that AddToScheme leaves out or puts into every group.
var metaOnly = []any{
	metav1.APIGroup{},
	metav1.APIGroupList{},
	metav1.APIResourceList{},
	metav1.APIVersions{},
	metav1.DeleteOptions{},
	metav1.List{},
	metav1.PartialObjectMetadata{},
	metav1.PartialObjectMetadataList{},
	metav1.Status{},
	metav1.WatchEvent{},
}

// kind is one row: apiVersion, kind and the Go type.
type kind struct {
	apiVersion, name string
	typ              reflect.Type
}

// kinds are the kinds of every package in adders that have a protobuf form, sorted.
func kinds() ([]kind, error) {
	scheme := runtime.NewScheme()
	for _, add := range adders {
		if err := add(scheme); err != nil {
			return nil, err
		}
	}
	var all []kind
	for gvk, typ := range scheme.AllKnownTypes() {
		if gvk.Version == runtime.APIVersionInternal || typ.PkgPath() == metaPackage {
			continue
		}
		if !hasNumbers(typ) {
			continue
		}
		all = append(all, kind{gvk.GroupVersion().String(), gvk.Kind, typ})
	}
	for _, value := range metaOnly {
		typ := reflect.TypeOf(value)
		all = append(all, kind{"meta.k8s.io/v1", typ.Name(), typ})
	}
	sort.Slice(all, func(i, j int) bool {
		a, b := all[i], all[j]
		return a.apiVersion < b.apiVersion || a.apiVersion == b.apiVersion && a.name < b.name
	})
	return all, nil
}

// hasNumbers tells whether any field of the struct has a protobuf number.
func hasNumbers(typ reflect.Type) bool {
	for i := range typ.NumField() {
		if number(typ.Field(i)) != "" {
			return true
		}
	}
	return false
}

// number is the protobuf number in a field's tag, if there is one.
func number(field reflect.StructField) string {
	parts := strings.Split(field.Tag.Get("protobuf"), ",")
	if len(parts) < 3 {
		return ""
	}
	return parts[1]
}
