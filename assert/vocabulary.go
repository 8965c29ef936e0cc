package assert

import (
	"fmt"
	"slices"
	"strings"

	"linger"
)

// A Vocabulary is what assertions can name, and how they are helped where they do not.
type Vocabulary struct {
	Names []Name
	// Subject is what there are several of, each with figures of its own: "strategy".
	// Subjects are their names, nil where these are known only afterwards. Where there is
	// one alone, its figures need no brackets.
	Subject  string
	Subjects []string
	// Example is a subject, as examples have it where none is known.
	Example string
	// Listed says where the names are told: "docs/probe.md and linger probe --list name
	// what there is".
	Listed string
}

// A Name is what an assertion can name.
type Name struct {
	Name string
	Kind Kind
	Help string
	// Each says that there is one of each subject.
	Each bool
	// Rare names are not suggested.
	Rare bool
}

// A Figure is a name with what it stands for in a T.
type Figure[T any] struct {
	Name
	of func(T) Value
}

// On is a figure of a T.
func On[T any](name string, kind Kind, help string, of func(T) Value) Figure[T] {
	return Figure[T]{Name{Name: name, Kind: kind, Help: help}, of}
}

// Of is the figure of t.
func (f Figure[T]) Of(t T) Value { return f.of(t) }

// NamesOf are the names of a table.
func NamesOf[T any](table []Figure[T]) []Name {
	var out []Name
	for _, f := range table {
		out = append(out, f.Name)
	}
	return out
}

// EachOf are the names of a table whose figures each subject has.
func EachOf[T any](table []Figure[T]) []Name {
	out := NamesOf(table)
	for i := range out {
		out[i].Each = true
	}
	return out
}

// Lookup returns the figure of that name in a T, false where the table has none.
func Lookup[T any](table []Figure[T], t T, name string) (Value, bool) {
	for _, f := range table {
		if f.Name.Name == name {
			return f.of(t), true
		}
	}
	return Value{}, false
}

// InTable are the figures that a table has of a T.
func InTable[T any](table []Figure[T], t T) Figures {
	return func(name, _ string) Value {
		v, ok := Lookup(table, t, name)
		if !ok {
			return Unknown("there is none")
		}
		return v
	}
}

func (v Vocabulary) find(name string) (Name, bool) {
	for _, n := range v.Names {
		if n.Name == name {
			return n, true
		}
	}
	return Name{}, false
}

// subject is whose figure a name without brackets is.
func (v Vocabulary) subject() (string, bool) {
	if len(v.Subjects) == 1 {
		return v.Subjects[0], true
	}
	return "", false
}

// example is a figure as it may be written.
func (v Vocabulary) example() string {
	if len(v.Names) == 0 {
		return "a figure"
	}
	return v.write(v.Names[0])
}

// comparison is what may be written of a name.
func (v Vocabulary) comparison(written string, k Kind) string {
	return written + map[Kind]string{
		Time: ">=60s", Number: ">=100", Size: "<=100kB", Share: ">=0.95", Text: `=="…"`,
	}[k]
}

// write is a name as it has to be written.
func (v Vocabulary) write(n Name) string {
	if _, only := v.subject(); !n.Each || only {
		return n.Name
	}
	subject := v.Example
	if len(v.Subjects) > 0 {
		subject = v.Subjects[0]
	}
	return fmt.Sprintf(`%s["%s"]`, n.Name, subject)
}

// unknown says what is wrong with a name that there is not, or that was written in
// another way. The whole word is what stands there up to the next operator.
func (v Vocabulary) unknown(token, word string) string {
	if i := strings.LastIndexByte(word, '.'); i > 0 && (v.Subjects == nil || slices.Contains(v.Subjects, word[:i])) {
		if n, ok := v.find(word[i+1:]); ok && n.Each {
			return fmt.Sprintf(`%s: write %s["%s"]`, word, n.Name, word[:i])
		}
	}
	if slices.Contains(v.Subjects, word) {
		return fmt.Sprintf(`%s is a %s; name a figure of it, as %s["%s"]`, word, v.Subject, v.Names[0].Name, word)
	}
	if plain := strings.NewReplacer("-", "_", ".", "_").Replace(word); plain != token {
		if _, ok := v.find(plain); ok {
			return fmt.Sprintf("nothing is called %s; write %s", word, plain)
		}
	}
	var suggested []string
	for _, n := range v.Names {
		if !n.Rare {
			suggested = append(suggested, n.Name)
		}
	}
	hint := ""
	if near := linger.Nearest(token, suggested); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "? "
	}
	if strings.Contains(word, ".") {
		token = word
	}
	return fmt.Sprintf("nothing is called %s; %s%s", token, hint, v.Listed)
}

// noSubject says what is wrong with a subject that there is not.
func (v Vocabulary) noSubject(name string) string {
	hint := ""
	if near := linger.Nearest(name, v.Subjects); len(near) > 0 {
		hint = "did you mean " + strings.Join(near, " or ") + "? "
	}
	const some = 12
	there := strings.Join(v.Subjects[:min(some, len(v.Subjects))], ", ")
	if more := len(v.Subjects) - some; more > 0 {
		there += fmt.Sprintf(" and %d more", more)
	}
	return fmt.Sprintf("no %s is called %q; %sthere is %s", v.Subject, name, hint, there)
}
