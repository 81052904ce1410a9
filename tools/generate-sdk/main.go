// Generate the SDK of one language from a schema, with the generators that Pulumi's own CLI uses:
//
//	generate-sdk <python|nodejs|go> <schema.json, or - for stdin> <directory>
//
// It gives what `pulumi package add` gives, for machines whose language hosts cannot generate. An invalid schema writes
// nothing. Knows nothing of Qoder.
package main

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"

	gocode "github.com/pulumi/pulumi/pkg/v3/codegen/go"
	"github.com/pulumi/pulumi/pkg/v3/codegen/nodejs"
	"github.com/pulumi/pulumi/pkg/v3/codegen/python"
	"github.com/pulumi/pulumi/pkg/v3/codegen/schema"
)

const tool = "pulumi-qoder-vault"

type generator func(*schema.Package) (map[string][]byte, error)

var generators = map[string]generator{
	"go": func(pkg *schema.Package) (map[string][]byte, error) {
		return gocode.GeneratePackage(tool, pkg, nil)
	},
	"nodejs": func(pkg *schema.Package) (map[string][]byte, error) {
		// As a local SDK: npm compiles it where it is installed.
		return nodejs.GeneratePackage(tool, pkg, nil, nil, true, nil)
	},
	"python": func(pkg *schema.Package) (map[string][]byte, error) {
		return python.GeneratePackage(tool, pkg, nil, nil)
	},
}

func main() {
	if err := run(os.Args[1:]); err != nil {
		fmt.Fprintln(os.Stderr, "generate-sdk:", err)
		os.Exit(1)
	}
}

func run(arguments []string) error {
	if len(arguments) != 3 {
		return errors.New("usage: generate-sdk <python|nodejs|go> <schema.json or -> <directory>")
	}
	generate, known := generators[arguments[0]]
	if !known {
		return fmt.Errorf("%q is no language; there are python, nodejs and go", arguments[0])
	}
	text, err := read(arguments[1])
	if err != nil {
		return err
	}
	pkg, err := bound(text)
	if err != nil {
		return err
	}
	files, err := generate(pkg)
	if err != nil {
		return err
	}
	return write(files, arguments[2])
}

func read(path string) ([]byte, error) {
	if path == "-" {
		return io.ReadAll(os.Stdin)
	}
	return os.ReadFile(path)
}

// bound checks a schema as a whole; warnings go to stderr, an error of any kind is returned.
func bound(text []byte) (*schema.Package, error) {
	var spec schema.PackageSpec
	if err := json.Unmarshal(text, &spec); err != nil {
		return nil, fmt.Errorf("the schema: %w", err)
	}
	// The loader gives nothing: the schema refers to no other package.
	pkg, diagnostics, err := schema.BindSpec(spec, schema.NewNullLoader(), schema.ValidationOptions{})
	if err != nil {
		return nil, fmt.Errorf("the schema: %w", err)
	}
	for _, diagnostic := range diagnostics {
		fmt.Fprintln(os.Stderr, "generate-sdk:", diagnostic.Summary)
	}
	if diagnostics.HasErrors() {
		return nil, errors.New("the schema is invalid")
	}
	// `pulumi package add` sets this for every schema: the SDK then has its own go.mod and its version.
	pkg.SupportPack = true
	return pkg, nil
}

// write makes each file in the directory; what else is in there stays.
func write(files map[string][]byte, directory string) error {
	for name, content := range files {
		path := filepath.Join(directory, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, content, 0o644); err != nil {
			return err
		}
	}
	return nil
}
