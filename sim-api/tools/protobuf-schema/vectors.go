package main

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/resource"
)

// mode says how much of an object is set.
type mode string

const (
	// zero is the object as Go makes it.
	zero mode = "zero"
	// set has every pointer, list and map set, to one zero value.
	set mode = "set"
	// full has every field set, lists and maps with two values.
	full mode = "full"
)

// vector is one object as JSON, and of its protobuf without envelope the length and the first
// half of the SHA-256, which is enough to tell that other bytes are the same.
type vector struct {
	APIVersion string          `json:"apiVersion"`
	Kind       string          `json:"kind"`
	Mode       mode            `json:"mode"`
	Object     json.RawMessage `json:"object"`
	Length     int             `json:"length"`
	Digest     string          `json:"digest"`
}

// vectors writes an object of each kind in each mode, one a line. Lists of objects are left out,
// and full ones of versions that are not stable.
func vectors(out io.Writer) error {
	all, err := kinds()
	if err != nil {
		return err
	}
	encoder := json.NewEncoder(out)
	encoder.SetEscapeHTML(false)
	for _, k := range all {
		if strings.HasSuffix(k.name, "List") && k.apiVersion != "meta.k8s.io/v1" {
			continue
		}
		for _, mode := range []mode{zero, set, full} {
			object := reflect.New(k.typ)
			if mode == full && !stable(k.apiVersion) {
				continue
			}
			filler := filler{mode: mode}
			filler.fill(object.Elem(), nil)
			asJSON, err := json.Marshal(object.Interface())
			if err != nil {
				return fmt.Errorf("%s %s: %w", k.apiVersion, k.name, err)
			}
			message, err := object.Interface().(interface{ Marshal() ([]byte, error) }).Marshal()
			if err != nil {
				return fmt.Errorf("%s %s: %w", k.apiVersion, k.name, err)
			}
			digest := sha256.Sum256(message)
			half := hex.EncodeToString(digest[:16])
			row := vector{k.apiVersion, k.name, mode, asJSON, len(message), half}
			if err := encoder.Encode(row); err != nil {
				return err
			}
		}
	}
	return nil
}

func stable(apiVersion string) bool {
	return !strings.Contains(apiVersion, "alpha") && !strings.Contains(apiVersion, "beta")
}

type filler struct {
	mode mode
	// count makes the values differ.
	count int
}

// fill sets a value; stack are the types around it, so that schemas within schemas end.
func (f *filler) fill(value reflect.Value, stack []reflect.Type) {
	if f.mode == zero {
		return
	}
	f.count++
	typ := value.Type()
	if typ.Kind() == reflect.Struct && f.special(value, stack) {
		return
	}
	switch typ.Kind() {
	case reflect.Pointer:
		if ends(typ.Elem(), stack) {
			return
		}
		value.Set(reflect.New(typ.Elem()))
		f.fill(value.Elem(), stack)
	case reflect.Struct:
		for i := range typ.NumField() {
			field := typ.Field(i)
			if field.IsExported() && field.Name != "TypeMeta" {
				f.fill(value.Field(i), append(stack, typ))
			}
		}
	case reflect.Slice:
		if typ.Elem().Kind() == reflect.Uint8 {
			if f.mode == full {
				value.SetBytes([]byte{0, 255, byte(f.count)})
			}
			return
		}
		if ends(typ.Elem(), stack) || f.mode == set && isMessage(typ) {
			return
		}
		value.Set(reflect.MakeSlice(typ, f.length(), f.length()))
		for i := range f.length() {
			f.fill(value.Index(i), stack)
		}
	case reflect.Map:
		if ends(typ.Elem(), stack) {
			return
		}
		value.Set(reflect.MakeMap(typ))
		for i := range f.length() {
			element := reflect.New(typ.Elem()).Elem()
			f.fill(element, stack)
			if typ.Elem().Kind() == reflect.Slice && element.IsNil() {
				element.Set(reflect.MakeSlice(typ.Elem(), 0, 0))
			}
			key := reflect.ValueOf(fmt.Sprintf("k%d", 9-i)).Convert(typ.Key())
			value.SetMapIndex(key, element)
		}
	default:
		if f.mode == full {
			f.scalar(value)
		}
	}
}

func (f *filler) length() int {
	if f.mode == full {
		return 2
	}
	return 1
}

func (f *filler) scalar(value reflect.Value) {
	switch value.Kind() {
	case reflect.Bool:
		value.SetBool(true)
	case reflect.String:
		value.SetString(fmt.Sprintf("s%d", f.count%100))
	case reflect.Int, reflect.Int32, reflect.Int64:
		value.SetInt(int64(f.count%300) - 20)
	case reflect.Uint32, reflect.Uint64:
		value.SetUint(uint64(f.count % 300))
	case reflect.Float64:
		value.SetFloat(float64(f.count) + 0.5)
	}
}

// special sets the types whose JSON is not that of a struct, so that they are not null.
func (f *filler) special(value reflect.Value, stack []reflect.Type) bool {
	at := time.Date(2025, 1, 2, 3, 4, f.count%60, 0, time.UTC)
	switch nameOf(value.Type()) {
	case "meta.v1.Time":
		value.FieldByName("Time").Set(reflect.ValueOf(at))
	case "meta.v1.MicroTime":
		value.FieldByName("Time").Set(reflect.ValueOf(at.Add(time.Duration(f.count) * time.Microsecond)))
	case "meta.v1.Duration":
		value.FieldByName("Duration").SetInt(int64(f.count) * 1_500_000_000)
	case "api.resource.Quantity":
		if f.mode == full {
			value.Set(reflect.ValueOf(resource.MustParse(fmt.Sprintf("%dm", f.count+1001))))
		}
	case "util.intstr.IntOrString":
		value.FieldByName("Type").SetInt(int64(f.count % 2))
		if f.count%2 == 0 {
			value.FieldByName("IntVal").SetInt(int64(f.count))
		} else {
			value.FieldByName("StrVal").SetString("50%")
		}
	case "pkg.runtime.RawExtension", "meta.v1.FieldsV1",
		"apiextensions.v1.JSON", "apiextensions.v1beta1.JSON":
		value.FieldByName("Raw").SetBytes([]byte(`{"f:b":{".":{}},"f:a":[1,"x",null]}`))
	case "apiextensions.v1.JSONSchemaPropsOrStringArray",
		"apiextensions.v1beta1.JSONSchemaPropsOrStringArray":
		if f.count%2 == 0 || !f.schema(value, stack) {
			value.FieldByName("Property").Set(reflect.ValueOf([]string{"a", "b"}))
		}
	case "apiextensions.v1.JSONSchemaPropsOrArray", "apiextensions.v1beta1.JSONSchemaPropsOrArray":
		if f.count%2 == 0 || !f.schema(value, stack) {
			list := value.FieldByName("JSONSchemas")
			list.Set(reflect.MakeSlice(list.Type(), 1, 1))
		}
	case "apiextensions.v1.JSONSchemaPropsOrBool", "apiextensions.v1beta1.JSONSchemaPropsOrBool":
		value.FieldByName("Allows").SetBool(f.mode == full)
		if f.mode == full && f.count%2 == 0 {
			f.schema(value, stack)
		}
	default:
		return false
	}
	return true
}

func (f *filler) schema(value reflect.Value, stack []reflect.Type) bool {
	schema := value.FieldByName("Schema")
	f.fill(schema, stack)
	return !schema.IsNil()
}

// ends tells whether a type is within itself as often as it may be.
func ends(typ reflect.Type, stack []reflect.Type) bool {
	depth := 0
	for _, around := range stack {
		if around == typ {
			depth++
		}
	}
	return depth > 1
}
