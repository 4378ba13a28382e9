package main

import (
	"encoding/json"
	"fmt"
	"io"
	"reflect"
	"sort"
	"strings"
)

// special are the types whose JSON is not that of a struct, by the name of their shape.
var special = map[string]string{
	"meta.v1.Time":                                       "time",
	"meta.v1.MicroTime":                                  "microtime",
	"meta.v1.Duration":                                   "duration",
	"meta.v1.FieldsV1":                                   "raw",
	"api.resource.Quantity":                              "quantity",
	"util.intstr.IntOrString":                            "intorstring",
	"pkg.runtime.RawExtension":                           "raw",
	"apiextensions.v1.JSON":                              "raw",
	"apiextensions.v1beta1.JSON":                         "raw",
	"apiextensions.v1.JSONSchemaPropsOrArray":            "orarray",
	"apiextensions.v1beta1.JSONSchemaPropsOrArray":       "orarray",
	"apiextensions.v1.JSONSchemaPropsOrBool":             "orbool",
	"apiextensions.v1beta1.JSONSchemaPropsOrBool":        "orbool",
	"apiextensions.v1.JSONSchemaPropsOrStringArray":      "orstrings",
	"apiextensions.v1beta1.JSONSchemaPropsOrStringArray": "orstrings",
}

var marshaler = reflect.TypeOf((*json.Marshaler)(nil)).Elem()

var protoMarshaler = reflect.TypeOf((*interface{ Marshal() ([]byte, error) })(nil)).Elem()

// walker collects the messages that the kinds reach.
type walker struct {
	messages map[string][]string
	types    map[string]reflect.Type
	problems []string
}

func schema(out io.Writer) error {
	all, err := kinds()
	if err != nil {
		return err
	}
	w := walker{messages: map[string][]string{}, types: map[string]reflect.Type{}}
	for _, k := range all {
		fmt.Fprintf(out, "K %s %s %s\n", k.apiVersion, k.name, w.message(k.typ))
	}
	var names []string
	for name := range w.messages {
		names = append(names, name)
	}
	sort.Strings(names)
	for _, name := range names {
		for _, line := range w.messages[name] {
			fmt.Fprintln(out, line)
		}
	}
	if len(w.problems) > 0 {
		return fmt.Errorf("not understood:\n%s", strings.Join(w.problems, "\n"))
	}
	return nil
}

// isMessage tells whether the type writes itself as protobuf.
func isMessage(typ reflect.Type) bool {
	return reflect.PointerTo(typ).Implements(protoMarshaler)
}

// nameOf is the last two parts of the package and the type's name.
func nameOf(typ reflect.Type) string {
	parts := strings.Split(typ.PkgPath(), "/")
	if len(parts) > 2 {
		parts = parts[len(parts)-2:]
	}
	return strings.Join(append(parts, typ.Name()), ".")
}

// message walks a struct, or a list type that is a message with one field, once.
func (w *walker) message(typ reflect.Type) string {
	name := nameOf(typ)
	if known, ok := w.types[name]; ok {
		if known != typ {
			w.problems = append(w.problems, name+": two types of one name")
		}
		return name
	}
	w.types[name] = typ
	shape := special[name]
	if shape == "" {
		shape = "struct"
		if typ.Implements(marshaler) || reflect.PointerTo(typ).Implements(marshaler) {
			w.problems = append(w.problems, name+": has JSON of its own")
		}
	}
	if typ.Kind() == reflect.Slice {
		w.messages[name] = []string{
			fmt.Sprintf("M %s list", name),
			fmt.Sprintf("items 1 %s [", w.typeOf(typ.Elem(), name)),
		}
		return name
	}
	w.messages[name] = nil
	lines := []string{fmt.Sprintf("M %s %s", name, shape)}
	switch shape {
	case "struct", "orarray", "orbool", "orstrings":
		for i := range typ.NumField() {
			if line := w.field(name, typ.Field(i)); line != "" {
				lines = append(lines, line)
			}
		}
	}
	w.messages[name] = lines
	return name
}

// field is one line: JSON name, number, type, form and flags.
func (w *walker) field(of string, field reflect.StructField) string {
	where := of + "." + field.Name
	name, options, _ := strings.Cut(field.Tag.Get("json"), ",")
	num := number(field)
	if !field.IsExported() || field.Name == "TypeMeta" {
		return ""
	}
	if num == "" || name == "-" {
		w.problems = append(w.problems, where+": "+string(field.Tag))
		return ""
	}
	flags := ""
	if strings.Contains(options, "omitempty") {
		flags += "e"
	}
	if strings.Contains(options, "omitzero") {
		flags += "z"
	}
	typ, form := field.Type, "."
	switch {
	case field.Anonymous && name == "" && typ.Kind() == reflect.Struct:
		form = "="
		name = "-"
	case typ.Kind() == reflect.Pointer:
		form, typ = "*", typ.Elem()
	case typ.Kind() == reflect.Map:
		form = "{"
		if typ.Key().Kind() != reflect.String {
			w.problems = append(w.problems, where+": key "+typ.Key().String())
		}
		typ = typ.Elem()
	// Not every tag of a list says that it is one; only bytes and messages that are lists in Go
	// are not repeated.
	case typ.Kind() == reflect.Slice && typ.Elem().Kind() != reflect.Uint8 && !isMessage(typ):
		form, typ = "[", typ.Elem()
	}
	if name == "" {
		name = field.Name
	}
	return fmt.Sprintf("%s %s %s %s%s", name, num, w.typeOf(typ, where), form, flags)
}

// typeOf names a scalar, or walks a message.
func (w *walker) typeOf(typ reflect.Type, where string) string {
	switch typ.Kind() {
	case reflect.Bool, reflect.String, reflect.Int32, reflect.Int64, reflect.Uint32, reflect.Uint64:
		return typ.Kind().String()
	case reflect.Float64:
		return "double"
	case reflect.Int:
		return "int64"
	case reflect.Uint8:
		return "uint32"
	case reflect.Slice:
		if typ.Elem().Kind() == reflect.Uint8 {
			return "bytes"
		}
		if isMessage(typ) {
			return w.message(typ)
		}
	case reflect.Struct:
		return w.message(typ)
	}
	w.problems = append(w.problems, where+": type "+typ.String())
	return "?"
}
