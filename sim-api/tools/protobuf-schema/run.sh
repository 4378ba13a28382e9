#!/bin/sh
# Runs a command with the Go types of one release: run.sh 0.33.2 schema.
# The modules come from wherever the go command is told to take them.
set -eu
version=$1
shift
here=$(cd "$(dirname "$0")" && pwd)
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
cp "$here"/*.go "$work"
cd "$work"
cat > go.mod <<MOD
module protobufschema

go 1.24
MOD
for module in api apimachinery apiextensions-apiserver metrics; do
    go mod edit -require="k8s.io/$module@v$version"
done
# Some patches of this module cannot be verified; another one's types are the same.
go mod edit -require="k8s.io/kube-aggregator@v${AGGREGATOR:-$version}"
go mod download k8s.io/api k8s.io/apiextensions-apiserver k8s.io/kube-aggregator k8s.io/metrics
{
    echo 'package main'
    echo 'import "k8s.io/apimachinery/pkg/runtime"'
    echo 'import ('
    adders=
    n=0
    for package in $(
        for module in api apiextensions-apiserver kube-aggregator metrics; do
            dir=$(go list -mod=mod -m -f '{{.Dir}}' "k8s.io/$module")
            find "$dir" -name generated.pb.go | sed "s|^$dir|k8s.io/$module|; s|/generated.pb.go||"
        done | sort
    ); do
        module=$(echo "$package" | cut -d/ -f2)
        dir=$(go list -mod=mod -m -f '{{.Dir}}' "k8s.io/$module")/${package#k8s.io/"$module"/}
        grep -qs 'AddToScheme' "$dir/register.go" || continue
        n=$((n + 1))
        echo "p$n \"$package\""
        adders="$adders p$n.AddToScheme,"
    done
    echo ')'
    echo 'func init() {'
    echo "adders = []func(*runtime.Scheme) error{$adders}"
    echo '}'
} > packages.go
go mod tidy >&2
go run . "$@"
