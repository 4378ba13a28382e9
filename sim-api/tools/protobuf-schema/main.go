// Command protobuf-schema writes down how the Go types of the Kubernetes API are laid out, as
// JSON and as protobuf. README.md says how it is run and what the lines mean.
package main

import (
	"bufio"
	"fmt"
	"os"

	"k8s.io/apimachinery/pkg/runtime"
)

// adders is filled in by packages.go, which run.sh writes: one AddToScheme a package.
var adders []func(*runtime.Scheme) error

func main() {
	out := bufio.NewWriter(os.Stdout)
	var err error
	command, arguments := "", []string(nil)
	if len(os.Args) > 1 {
		command, arguments = os.Args[1], os.Args[2:]
	}
	switch command {
	case "schema":
		err = schema(out)
	case "merge":
		err = merge(out, arguments)
	case "vectors":
		err = vectors(out)
	default:
		err = fmt.Errorf("usage: schema | merge MINOR=FILE... | vectors, not %q", command)
	}
	if err == nil {
		err = out.Flush()
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}
