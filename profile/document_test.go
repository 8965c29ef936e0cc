package profile

import (
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"linger/assert"
	"linger/finding"
)

// between is the part of docs/probe.md behind a mark, up to the end of its table.
func between(t *testing.T, mark string) string {
	t.Helper()
	b, err := os.ReadFile("../docs/probe.md")
	if err != nil {
		t.Fatal(err)
	}
	_, text, ok := strings.Cut(string(b), "<!-- "+mark+" -->\n")
	if !ok {
		t.Fatalf("docs/probe.md has no %s", mark)
	}
	text, _, _ = strings.Cut(text, "<!-- end -->")
	return strings.TrimSpace(text)
}

// ours are the rooms whose types stand in the document.
var ours = []string{reflect.TypeFor[Profile]().PkgPath(), reflect.TypeFor[assert.Result]().PkgPath(), reflect.TypeFor[finding.Caveat]().PkgPath()}

// fields are the names that a type has in JSON, those of its parts too.
func fields(of reflect.Type, seen map[reflect.Type]bool, into map[string]bool) {
	for of.Kind() == reflect.Pointer || of.Kind() == reflect.Slice {
		of = of.Elem()
	}
	if of.Kind() != reflect.Struct || !slices.Contains(ours, of.PkgPath()) || seen[of] {
		return
	}
	seen[of] = true
	for i := range of.NumField() {
		f := of.Field(i)
		if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" {
			into[name] = true
		}
		fields(f.Type, seen, into)
	}
}

var quoted = regexp.MustCompile("`([a-z0-9_]+)(?:\\[\\])?`")

// The document describes each field of the profile, and none that there is not.
func TestDocumentNamesEachField(t *testing.T) {
	have := map[string]bool{}
	fields(reflect.TypeFor[Profile](), map[reflect.Type]bool{}, have)
	told := map[string]bool{}
	// The values that fields can have stand in parentheses.
	text := regexp.MustCompile(`\([^)]*\)`).ReplaceAllString(between(t, "fields"), "")
	for _, m := range quoted.FindAllStringSubmatch(text, -1) {
		told[m[1]] = true
	}
	for name := range have {
		if !told[name] {
			t.Errorf("docs/probe.md does not tell what %s is", name)
		}
	}
	for name := range told {
		if !have[name] {
			t.Errorf("docs/probe.md tells what %s is, which no document has", name)
		}
	}
}
