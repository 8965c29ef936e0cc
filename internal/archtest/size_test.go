package archtest

import (
	"go/ast"
	"testing"
)

// A room is understood at once, and so is a function: mostFiles a room has besides its tests,
// and mostLines a function has that is no test.
const (
	mostFiles = 15
	mostLines = 100
)

// wide are the rooms that have more files, with the number and the reason.
var wide = map[string]struct {
	files  int
	reason string
}{}

// long are the functions that have more lines, with the reason.
var long = map[string]string{}

func TestRoomsHaveFewFiles(t *testing.T) {
	files := map[string]int{}
	for _, f := range sources(t) {
		files[f.room]++
	}
	for room, n := range files {
		if most := max(mostFiles, wide[room].files); n > most {
			t.Errorf("%s has %d files that are not tests, and %d are allowed; is it one idea?", room, n, most)
		}
	}
	for room, one := range wide {
		if files[room] < one.files || one.files <= mostFiles {
			t.Errorf("the table allows %s %d files, and it has %d; it may only shrink", room, one.files, files[room])
		}
	}
}

func TestFunctionsFitOnScreens(t *testing.T) {
	found := map[string]bool{}
	for _, f := range sources(t) {
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok || fn.Body == nil {
				continue
			}
			n := f.lines(fn)
			if n <= mostLines {
				continue
			}
			name := f.room + "." + nameOf(fn)
			if found[name] = true; long[name] == "" {
				t.Errorf("%s has %d lines, and %d are allowed; what are its parts?", name, n, mostLines)
			}
		}
	}
	for name := range long {
		if !found[name] {
			t.Errorf("the table has a function %s that is not as long; take it out", name)
		}
	}
}

// nameOf names a function, a method with the type that it is of.
func nameOf(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	of := fn.Recv.List[0].Type
	if star, ok := of.(*ast.StarExpr); ok {
		of = star.X
	}
	if generic, ok := of.(*ast.IndexExpr); ok {
		of = generic.X
	}
	id, ok := of.(*ast.Ident)
	if !ok {
		return fn.Name.Name
	}
	return id.Name + "." + fn.Name.Name
}
