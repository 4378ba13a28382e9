// Writes the table of types in types.txt: what each field of the built-in kinds is, how lists
// and maps are merged, and what Go prints even when it is zero.
//
//	go run . LIST_TYPES.json > ../../src/schema/types.txt
//
// LIST_TYPES.json has the x-kubernetes-* extensions of a recorded OpenAPI v3 document, per
// schema and property; everything else is reflection over the Go types.
package main

import (
	"bufio"
	"encoding/json"
	"fmt"
	"os"
	"reflect"
	"sort"
	"strings"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	"k8s.io/client-go/kubernetes/scheme"
	apiregistration "k8s.io/kube-aggregator/pkg/apis/apiregistration/v1"
)

type extension struct {
	ListType string   `json:"list-type"`
	ListKeys []string `json:"list-map-keys"`
	MapType  string   `json:"map-type"`
}

var (
	extensions map[string]map[string]extension
	types      = map[string]string{}
	atomic     = map[string]string{}
	out        *bufio.Writer
)

var served = map[string]bool{
	"/v1": true, "apps/v1": true, "batch/v1": true, "autoscaling/v1": true, "autoscaling/v2": true,
	"policy/v1": true, "networking.k8s.io/v1": true, "networking.k8s.io/v1beta1": true,
	"rbac.authorization.k8s.io/v1": true, "storage.k8s.io/v1": true, "storage.k8s.io/v1beta1": true,
	"scheduling.k8s.io/v1": true, "coordination.k8s.io/v1": true, "node.k8s.io/v1": true,
	"discovery.k8s.io/v1": true, "events.k8s.io/v1": true, "certificates.k8s.io/v1": true,
	"admissionregistration.k8s.io/v1": true, "flowcontrol.apiserver.k8s.io/v1": true,
	"flowcontrol.apiserver.k8s.io/v1beta3": true, "authentication.k8s.io/v1": true,
	"authorization.k8s.io/v1": true, "resource.k8s.io/v1": true, "resource.k8s.io/v1beta1": true,
}

func main() {
	data, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	var recorded struct {
		Schemas map[string]map[string]extension
	}
	if err := json.Unmarshal(data, &recorded); err != nil {
		panic(err)
	}
	extensions = recorded.Schemas
	out = bufio.NewWriter(os.Stdout)
	defer out.Flush()

	var kinds []string
	add := func(group, version, kind string, t reflect.Type) {
		if _, ok := t.FieldByName("ObjectMeta"); !ok {
			return
		}
		name := structType(t)
		apiVersion := strings.TrimPrefix(group+"/"+version, "/")
		kinds = append(kinds, fmt.Sprintf("%s %s %s", apiVersion, kind, name))
	}
	for gvk, t := range scheme.Scheme.AllKnownTypes() {
		if served[gvk.Group+"/"+gvk.Version] && strings.HasSuffix(t.PkgPath(), gvk.Version) {
			add(gvk.Group, gvk.Version, gvk.Kind, t)
		}
	}
	add("apiextensions.k8s.io", "v1", "CustomResourceDefinition", reflect.TypeOf(apiextensions.CustomResourceDefinition{}))
	add("apiregistration.k8s.io", "v1", "APIService", reflect.TypeOf(apiregistration.APIService{}))
	sort.Strings(kinds)
	for _, kind := range kinds {
		fmt.Fprintf(out, "kind %s\n", kind)
	}
	names := make([]string, 0, len(types))
	for name := range types {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		fmt.Fprintf(out, "type %s%s\n%s", name, atomic[name], types[name])
	}
}

// openAPI is the name of a type in an OpenAPI document.
func openAPI(t reflect.Type) string {
	domain, path, _ := strings.Cut(t.PkgPath(), "/")
	parts := strings.Split(domain, ".")
	for i, j := 0, len(parts)-1; i < j; i, j = i+1, j-1 {
		parts[i], parts[j] = parts[j], parts[i]
	}
	return strings.Join(parts, ".") + "." + strings.ReplaceAll(path, "/", ".") + "." + t.Name()
}

func short(t reflect.Type) string {
	name := openAPI(t)
	for _, prefix := range []string{"io.k8s.api.", "io.k8s.apimachinery.pkg.apis.", "io.k8s.apiextensions-apiserver.pkg.apis.", "io.k8s.kube-aggregator.pkg.apis."} {
		name = strings.TrimPrefix(name, prefix)
	}
	return name
}

func structType(t reflect.Type) string {
	name := short(t)
	if _, done := types[name]; done {
		return name
	}
	types[name] = ""
	if extensions[openAPI(t)]["."].MapType == "atomic" {
		atomic[name] = " atomic"
	}
	var b strings.Builder
	fields(&b, t, t)
	types[name] = b.String()
	return name
}

func fields(b *strings.Builder, owner, t reflect.Type) {
	zero := reflect.New(t).Elem()
	for i := 0; i < t.NumField(); i++ {
		f := t.Field(i)
		if !f.IsExported() {
			continue
		}
		tag := strings.Split(f.Tag.Get("json"), ",")
		name := tag[0]
		has := func(option string) bool {
			for _, o := range tag[1:] {
				if o == option {
					return true
				}
			}
			return false
		}
		if name == "-" {
			continue
		}
		if has("inline") || (f.Anonymous && name == "") {
			inner := f.Type
			if inner.Kind() == reflect.Pointer {
				inner = inner.Elem()
			}
			fields(b, owner, inner)
			continue
		}
		if name == "" {
			name = f.Name
		}
		ext := extensions[openAPI(owner)][name]
		pointer := ""
		if f.Type.Kind() == reflect.Pointer {
			pointer = "*"
		}
		fmt.Fprintf(b, " %s %s%s", name, pointer, expression(f.Type, ext))
		base := f.Type
		if base.Kind() == reflect.Pointer {
			base = base.Elem()
		}
		if base.Kind() == reflect.Struct && !custom(base) &&
			ext.MapType == "atomic" {
			fmt.Fprintf(b, " atomic")
		}
		plain := f.Type.Kind() == reflect.Struct && !custom(f.Type)
		switch {
		case plain && !has("omitzero"):
			fmt.Fprintf(b, " !{}")
		case !has("omitempty") && !has("omitzero"), f.Type.Kind() == reflect.Struct && !has("omitzero"):
			printed, err := json.Marshal(zero.Field(i).Interface())
			if err != nil {
				panic(err)
			}
			fmt.Fprintf(b, " !%s", printed)
		}
		if has("string") {
			panic(name)
		}
		if strategy := f.Tag.Get("patchStrategy"); strategy != "" {
			fmt.Fprintf(b, " @%s", strategy)
			if key := f.Tag.Get("patchMergeKey"); key != "" {
				fmt.Fprintf(b, ":%s", key)
			}
		}
		// The one default that is part of a list's keys.
		if name == "protocol" && (t.Name() == "ContainerPort" || t.Name() == "ServicePort") {
			fmt.Fprintf(b, " =TCP")
		}
		fmt.Fprintln(b)
	}
}

// custom tells whether a struct is printed as something else than its members.
func custom(t reflect.Type) bool {
	marshaler := reflect.TypeOf((*json.Marshaler)(nil)).Elem()
	return t.Implements(marshaler) || reflect.PointerTo(t).Implements(marshaler)
}

func expression(t reflect.Type, ext extension) string {
	switch t.Kind() {
	case reflect.Pointer:
		return expression(t.Elem(), ext)
	case reflect.String:
		return "string"
	case reflect.Bool:
		return "boolean"
	case reflect.Int, reflect.Int32, reflect.Int64, reflect.Uint32, reflect.Uint64, reflect.Float64:
		return t.Kind().String()
	case reflect.Slice:
		if t.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		relation := ""
		switch ext.ListType {
		case "map":
			relation = strings.Join(ext.ListKeys, ",")
		case "set":
			relation = "="
		}
		return "[" + relation + "]" + expression(t.Elem(), extension{})
	case reflect.Map:
		relation := ""
		if ext.MapType == "atomic" {
			relation = "atomic"
		}
		return "{" + relation + "}" + expression(t.Elem(), extension{})
	case reflect.Struct:
		switch t.Name() {
		case "Time", "MicroTime", "Duration":
			return strings.ToLower(t.Name())
		case "Quantity":
			return "quantity"
		case "IntOrString":
			return "intorstring"
		}
		if custom(t) {
			switch t.Name() {
			case "RawExtension", "FieldsV1":
				return "{}any"
			case "JSON", "JSONSchemaPropsOrArray", "JSONSchemaPropsOrBool", "JSONSchemaPropsOrStringArray":
				return "any"
			}
			panic(t.String())
		}
		return structType(t)
	}
	panic(t.String())
}
