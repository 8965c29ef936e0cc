// Package assert holds conditions on named figures, as `idle>=60s && close_honoured`:
// one language for every verb.
//
// Whoever has figures lists them in a table of [Figure] values, a row a name. The table makes
// a [Vocabulary], by which [Parse] reads a condition before anything is measured, so that what
// is wrong with it is said at once. [Assertion.Of] decides it afterwards by [Figures], which
// the same table gives for what was measured ([InTable]).
//
//	or         = and { "||" and }
//	and        = not { "&&" not }
//	not        = "!" not | "(" or ")" | comparison
//	comparison = operand [ ( "<" | "<=" | "==" | "!=" | ">=" | ">" ) operand ]
//	operand    = name [ "[" text "]" ] | number [ unit ] | text | "true" | "false"
//	text       = '"' characters '"'
//
// Units are ms, s, m and h; B, kB, MB and GB; and %. A name with brackets is the figure
// of one of several: time["keep:6"]. What is not known makes a comparison neither true
// nor false, and so the condition, unless the rest decides it (Kleene's logic).
package assert

import (
	"slices"
	"strings"
)

// An Assertion is a condition, read and found to make sense.
type Assertion struct {
	Text string
	root node
}

// A Truth is what becomes of an assertion.
type Truth string

const (
	Holds    Truth = "holds"
	Broken   Truth = "does not hold"
	NotKnown Truth = "not known"
)

// A Result is an assertion with what came of it.
type Result struct {
	Text  string `json:"text"`
	Truth Truth  `json:"truth"`
	Why   string `json:"why,omitempty"` // where it does not hold, the figures that decide it
}

// Figures are what is known of each name. The subject is what stood in brackets, or "".
type Figures func(name, subject string) Value

// ParseAll reads several, and stops at the first that is wrong.
func ParseAll(texts []string, v Vocabulary) ([]Assertion, error) {
	var out []Assertion
	for _, text := range texts {
		a, err := Parse(text, v)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}

// Of decides the assertion.
func (a Assertion) Of(f Figures) Result {
	truth, whys := a.root.decide(f)
	out := Result{Text: a.Text, Truth: truth}
	if truth != Holds {
		slices.Sort(whys)
		out.Why = strings.Join(slices.Compact(whys), "; ")
	}
	return out
}

// Decide decides several.
func Decide(all []Assertion, f Figures) []Result {
	var out []Result
	for _, a := range all {
		out = append(out, a.Of(f))
	}
	return out
}

// A node decides a part of an assertion; whys are the figures that keep it from holding.
type node interface {
	decide(Figures) (Truth, []string)
}

type (
	orNode  []node
	andNode []node
	notNode struct{ of node }
	leaf    struct {
		left, right operand
		op          string // "" of a name alone
	}
)

// Names are the figures that an assertion is about, in their order.
func (a Assertion) Names() []string {
	var out []string
	var walk func(n node)
	walk = func(n node) {
		switch n := n.(type) {
		case orNode:
			for _, part := range n {
				walk(part)
			}
		case andNode:
			for _, part := range n {
				walk(part)
			}
		case notNode:
			walk(n.of)
		case leaf:
			for _, o := range []operand{n.left, n.right} {
				if o.name != "" && !slices.Contains(out, o.name) {
					out = append(out, o.name)
				}
			}
		}
	}
	walk(a.root)
	return out
}

func (n orNode) decide(f Figures) (Truth, []string)  { return join(n, f, Holds, Broken) }
func (n andNode) decide(f Figures) (Truth, []string) { return join(n, f, Broken, Holds) }

// join decides parts of which one that is strong decides all, and of which all have to
// be weak otherwise. What decides it is what tells why.
func join(parts []node, f Figures, strong, weak Truth) (Truth, []string) {
	whys := map[Truth][]string{}
	seen := map[Truth]bool{}
	for _, of := range parts {
		t, w := of.decide(f)
		seen[t], whys[t] = true, append(whys[t], w...)
	}
	for _, t := range []Truth{strong, NotKnown} {
		if seen[t] {
			return t, whys[t]
		}
	}
	return weak, whys[weak]
}

func (n notNode) decide(f Figures) (Truth, []string) {
	t, w := n.of.decide(f)
	switch t {
	case Holds:
		return Broken, w
	case Broken:
		return Holds, w
	}
	return NotKnown, w
}

func (n leaf) decide(f Figures) (Truth, []string) {
	l := n.left.in(f)
	if n.op == "" {
		return truthOf(l.known(), l.Low == 1), []string{n.left.told(l)}
	}
	r := n.right.in(f)
	var whys []string
	for _, side := range []struct {
		o operand
		v Value
	}{{n.left, l}, {n.right, r}} {
		if side.o.name != "" {
			whys = append(whys, side.o.told(side.v))
		}
	}
	if n.left.kind == Text || n.left.kind == YesNo {
		same := l.Text == r.Text && l.Low == r.Low
		return truthOf(l.known() && r.known(), same == (n.op == "==")), whys
	}
	t := NotKnown
	if order, ok := l.compare(r); ok {
		t = truthOf(true, slices.Contains(order.satisfies(), n.op))
	} else if l.known() && r.known() {
		t = undecided(n.op, l, r)
	}
	return t, whys
}

func truthOf(known, holds bool) Truth {
	switch {
	case !known:
		return NotKnown
	case holds:
		return Holds
	}
	return Broken
}

// An operand is a name, or a value that was written down.
type operand struct {
	name, subject string // "" of a value
	bare          bool   // the subject was not written, being the only one
	kind          Kind
	offset        int
	value         Value
}

func (o operand) in(f Figures) Value {
	if o.name == "" {
		return o.value
	}
	return f(o.name, o.subject)
}

// written is the name as it stands in an assertion.
func (o operand) written() string {
	if o.subject == "" || o.bare {
		return o.name
	}
	return o.name + `["` + o.subject + `"]`
}

// told says what the name stands for.
func (o operand) told(v Value) string {
	if !v.known() {
		return o.written() + " is not known: " + v.Why
	}
	return o.written() + " is " + v.told(o.kind)
}
