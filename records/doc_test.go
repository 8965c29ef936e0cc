package records

import (
	"flag"
	"fmt"
	"go/ast"
	"go/doc/comment"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the columns into docs/records.md")

// TestDocument holds the columns of docs/records.md against those of the types. With -update it
// writes them: what they mean is what stands at the fields.
func TestDocument(t *testing.T) {
	const name, begin, end = "../docs/records.md", "<!-- columns -->\n", "<!-- end of columns -->\n"
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	got, after, ok2 := strings.Cut(rest, end)
	if !ok || !ok2 {
		t.Fatalf("%s lacks its marks", name)
	}
	want := "\n" + columns(t) + "\n"
	if got == want {
		return
	}
	if !*update {
		t.Fatalf("%s is not of these types; go test ./records -run TestDocument -update writes it", name)
	}
	if err := os.WriteFile(name, []byte(before+begin+want+end+after), 0o644); err != nil {
		t.Fatal(err)
	}
}

// columns are tables of the columns, one for each group at the top.
func columns(t *testing.T) string {
	docs := comments(t, ".", "../trace", "../finding", "..")
	var b strings.Builder
	s := theSchema()
	table := func(heading string) {
		fmt.Fprintf(&b, "%s\n\n| column | type | null | what it is |\n|---|---|---|---|\n", heading)
	}
	table("### Of each row")
	all := Columns()
	group := ""
	for i, path := range s.paths {
		if top := path[0].name; len(path) > 1 && top != group {
			group = top
			table(fmt.Sprintf("\n### %s\n\n%s", top, docs["Row"][top]))
		}
		owner := reflect.TypeFor[Row]()
		for _, n := range path[:len(path)-1] {
			owner = n.typ
		}
		field := owner.Field(path[len(path)-1].index)
		kind := all[i].Type
		if all[i].List {
			kind = "list of " + kind
		}
		null := ""
		if all[i].Null {
			null = "yes"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", all[i].Name, kind, null, docs[owner.Name()][field.Name])
	}
	return b.String()
}

// comments are what stands at the fields of the types in some folders, by type and by field, or by
// the field's name in JSON.
func comments(t *testing.T, folders ...string) map[string]map[string]string {
	out := map[string]map[string]string{}
	for _, folder := range folders {
		files, err := filepath.Glob(folder + "/*.go")
		if err != nil {
			t.Fatal(err)
		}
		for _, name := range files {
			f, err := parser.ParseFile(token.NewFileSet(), name, nil, parser.ParseComments)
			if err != nil {
				t.Fatal(err)
			}
			ast.Inspect(f, func(n ast.Node) bool {
				if spec, ok := n.(*ast.TypeSpec); ok {
					if of, ok := spec.Type.(*ast.StructType); ok && ast.IsExported(spec.Name.Name) {
						out[spec.Name.Name] = fields(of)
					}
				}
				return true
			})
		}
	}
	return out
}

func fields(of *ast.StructType) map[string]string {
	out := map[string]string{}
	said := ""
	for _, f := range of.Fields.List {
		text := f.Doc.Text() + f.Comment.Text()
		text = strings.Join(strings.Fields(text), " ")
		switch {
		case f.Doc != nil: // of those below, too, that have none
			said = text
		case f.Comment != nil:
			said = ""
		case said != "":
			text = "(as above)"
		}
		// Links of Go's documents are none here.
		text = string((&comment.Printer{}).Text(new(comment.Parser).Parse(text)))
		text = strings.ReplaceAll(strings.Join(strings.Fields(text), " "), "|", "\\|")
		for _, name := range f.Names {
			out[name.Name] = text
		}
		if f.Tag != nil {
			name, _, _ := strings.Cut(reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("json"), ",")
			out[name] = text
		}
	}
	return out
}
