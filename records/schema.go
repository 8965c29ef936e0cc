package records

import (
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/parquet-go/parquet-go"
)

// A node is a field of a row, or of what is in one, and a column or a group of columns of the file.
type node struct {
	name     string
	typ      reflect.Type // of the value, without what says that it may be unknown
	index    int          // of the field
	column   int          // of the first leaf
	children []*node      // of a group; none of a leaf
	// maybe is how the Go type says that there is none: a pointer, or an Opt; otherwise an optional
	// value is none where it is zero, as JSON leaves it out.
	maybe    how
	optional bool
	list     bool
	// def and rep are the levels of a value that is there (Dremel's, as Parquet has them).
	def, rep int
	nulls    []parquet.Value // of a leaf: that there is none, by the level down to which there is
}

type how uint8

const (
	plain how = iota
	pointer
	opt
)

// reflected is what every linger.Opt is.
type reflected interface {
	Reflect(set bool) (pointer any, known bool)
}

var moment = reflect.TypeFor[time.Time]()

// A schema is the root of all columns.
type schema struct {
	root   []*node
	leaves []*node
	paths  [][]*node // to each leaf, from the root
	names  map[string]int
}

// theSchema is that of Row.
var theSchema = sync.OnceValue(func() *schema {
	s := &schema{names: map[string]int{}}
	s.root = s.nodes(reflect.TypeFor[Row](), nil, 0, 0)
	return s
})

// nodes are the fields of a struct, each with its columns.
func (s *schema) nodes(t reflect.Type, above []*node, def, rep int) (all []*node) {
	for f := range t.Fields() {
		name, rest, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || !f.IsExported() {
			continue
		}
		n := &node{name: name, typ: f.Type, index: f.Index[0], def: def, rep: rep, column: len(s.leaves)}
		if before, ok := strings.CutSuffix(name, "_us"); ok {
			n.name = before + "_ns" // JSON rounds to that; a row is exact
		}
		switch {
		case n.typ.Kind() == reflect.Pointer && n.typ.Elem().Kind() == reflect.Struct:
			n.maybe, n.optional, n.typ = pointer, true, n.typ.Elem()
		case reflect.PointerTo(n.typ).Implements(reflect.TypeFor[reflected]()):
			n.maybe, n.optional = opt, true
			value, _ := reflect.New(n.typ).Interface().(reflected).Reflect(false)
			n.typ = reflect.TypeOf(value).Elem()
		case n.typ.Kind() == reflect.Slice:
			n.list, n.optional, n.typ = true, true, n.typ.Elem()
			n.def, n.rep = n.def+1, n.rep+1
		default:
			leftOut := strings.Contains(rest, "omit")
			n.optional = leftOut && n.typ.Kind() != reflect.Struct && n.typ.Kind() != reflect.Bool
		}
		if n.optional {
			n.def++
		}
		path := append(slices.Clone(above), n)
		if n.typ.Kind() == reflect.Struct && n.typ != moment {
			n.children = s.nodes(n.typ, path, n.def, n.rep)
		} else {
			for level := range n.def {
				n.nulls = append(n.nulls, parquet.Value{}.Level(0, level, n.column))
			}
			s.names[nameOf(path)] = len(s.leaves)
			s.leaves, s.paths = append(s.leaves, n), append(s.paths, path)
		}
		all = append(all, n)
	}
	return all
}

// nameOf is a column's, its groups joined by dots.
func nameOf(path []*node) string {
	var words []string
	for _, n := range path {
		words = append(words, n.name)
	}
	return strings.Join(words, ".")
}

// A Column is one of the file, for who wants the same rows elsewhere.
type Column struct {
	// Name has the groups before it, joined by dots.
	Name string
	// Type is "text", "integer", "number", "truth" or "time". A List has any number of them.
	Type string
	List bool
	// Null reports whether the value may be none, by itself: of a row of another kind all are.
	Null bool
}

// Columns are those of a file, in their order.
func Columns() (all []Column) {
	s := theSchema()
	for i, n := range s.leaves {
		c := Column{Name: nameOf(s.paths[i]), Type: typeOf(n), Null: n.optional}
		for _, above := range s.paths[i] {
			c.List = c.List || above.list
		}
		all = append(all, c)
	}
	return all
}

func typeOf(n *node) string {
	switch n.typ.Kind() {
	case reflect.String:
		return "text"
	case reflect.Bool:
		return "truth"
	case reflect.Float64:
		return "number"
	case reflect.Struct:
		return "time"
	}
	return "integer"
}

// fileSchema is the schema as the library has it.
var fileSchema = sync.OnceValue(func() *parquet.Schema {
	return parquet.NewSchema("linger", inOrder(theSchema().root))
})

// ordered is a group whose fields stand in their order: the library's are sorted by name.
type ordered struct {
	parquet.Group
	fields []parquet.Field
}

func (o ordered) Fields() []parquet.Field { return o.fields }

// named is a field of such a group. Rows are written and read value by value, so that the library
// never asks it for that of a Go value.
type named struct {
	parquet.Node
	name string
}

func (n named) Name() string                      { return n.name }
func (n named) Value(reflect.Value) reflect.Value { return reflect.Value{} }

func inOrder(nodes []*node) parquet.Node {
	o := ordered{Group: parquet.Group{}}
	for _, n := range nodes {
		one := n.parquet()
		o.Group[n.name] = one
		o.fields = append(o.fields, named{one, n.name})
	}
	return o
}

func (n *node) parquet() (out parquet.Node) {
	switch {
	case n.children != nil:
		out = inOrder(n.children)
	case n.typ == moment:
		out = parquet.Timestamp(parquet.Nanosecond)
	default:
		switch n.typ.Kind() {
		case reflect.String:
			out = parquet.Encoded(parquet.String(), &parquet.RLEDictionary)
		case reflect.Bool:
			out = parquet.Leaf(parquet.BooleanType)
		case reflect.Float64:
			out = parquet.Leaf(parquet.DoubleType)
		default:
			out = parquet.Encoded(parquet.Int(64), &parquet.DeltaBinaryPacked)
		}
	}
	if n.list {
		out = parquet.List(out)
	}
	if n.optional {
		out = parquet.Optional(out)
	}
	return out
}
