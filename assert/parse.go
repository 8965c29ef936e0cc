package assert

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// A SyntaxError says what is wrong with an assertion, and where.
type SyntaxError struct {
	Text   string
	Offset int // in bytes
	Wrong  string
}

func (e *SyntaxError) Error() string {
	column := utf8.RuneCountInString(e.Text[:e.Offset]) + 1
	text := strconv.Quote(e.Text)
	if only := strings.ReplaceAll(text, `\"`, `"`) == `"`+e.Text+`"`; only && strings.Contains(e.Text, `"`) && !strings.Contains(e.Text, "'") {
		text = "'" + e.Text + "'" // nothing but quotation marks is escaped
	}
	return fmt.Sprintf("%s, column %d: %s", text, column, e.Wrong)
}

// Bounds of what is parsed: an assertion is written by hand.
const (
	longestAssertion = 4096 // bytes
	deepestAssertion = 100  // parentheses and negations in each other
)

// Parse reads an assertion about what a vocabulary names. The error is a *SyntaxError.
func Parse(text string, v Vocabulary) (Assertion, error) {
	p := parser{text: text, names: v}
	if len(text) > longestAssertion {
		return Assertion{}, &SyntaxError{text[:20], 0, fmt.Sprintf("longer than %d bytes; use several --assert", longestAssertion)}
	}
	if !utf8.ValidString(text) {
		return Assertion{}, &SyntaxError{strings.ToValidUTF8(text, "?"), 0, "is not UTF-8"}
	}
	p.next()
	root, err := p.or(0)
	if err == nil && p.token != "" {
		err = p.wrong("unexpected %q; join conditions by && or ||", p.token)
	}
	if err != nil {
		return Assertion{}, err
	}
	return Assertion{text, root}, nil
}

// A parser reads an assertion token by token.
type parser struct {
	text  string
	names Vocabulary
	token string // "" at the end
	at    int    // where the token begins
	rest  int    // where the next is looked for
}

func (p *parser) wrong(format string, args ...any) error {
	return &SyntaxError{p.text, p.at, fmt.Sprintf(format, args...)}
}

// next goes to the next token. A token that does not end, or that begins with what
// none begins with, is what it is; whoever meets it says so.
func (p *parser) next() {
	for p.rest < len(p.text) && strings.ContainsRune(" \t\r\n", rune(p.text[p.rest])) {
		p.rest++
	}
	p.at = p.rest
	s := p.text[p.rest:]
	p.token = ""
	switch {
	case s == "":
	case isName(s[0]):
		n := 1
		for n < len(s) && (isName(s[n]) || isDigit(s[n])) {
			n++
		}
		p.token = s[:n]
	case isDigit(s[0]) || s[0] == '.':
		n := 1
		for n < len(s) && (isDigit(s[n]) || s[n] == '.' || isName(s[n])) {
			n++
		}
		if n < len(s) && s[n] == '%' {
			n++
		}
		p.token = s[:n]
	case s[0] == '"':
		if n := strings.IndexByte(s[1:], '"'); n >= 0 {
			p.token = s[:n+2]
		} else {
			p.token = s
		}
	default:
		for _, op := range []string{"&&", "||", "<=", ">=", "==", "!=", "<", ">", "!", "(", ")", "[", "]"} {
			if strings.HasPrefix(s, op) {
				p.token = op
				break
			}
		}
		if p.token == "" {
			_, n := utf8.DecodeRuneInString(s)
			p.token = s[:n]
		}
	}
	p.rest = p.at + len(p.token)
}

// word is what stands at the token, up to a space, an operator, a bracket or a
// quotation mark.
func (p *parser) word() string {
	s := p.text[p.at:]
	if i := strings.IndexAny(s, " \t\r\n<>=!&|()[]\""); i >= 0 {
		return s[:i]
	}
	return s
}

func isName(c byte) bool  { return c == '_' || c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' }
func isDigit(c byte) bool { return c >= '0' && c <= '9' }

func (p *parser) or(depth int) (node, error)  { return p.list(depth, "||") }
func (p *parser) and(depth int) (node, error) { return p.list(depth, "&&") }

// list reads what one of the two operators joins.
func (p *parser) list(depth int, op string) (node, error) {
	part := p.not
	if op == "||" {
		part = p.and
	}
	var parts []node
	for {
		one, err := part(depth)
		if err != nil {
			return nil, err
		}
		parts = append(parts, one)
		if p.token != op {
			break
		}
		p.next()
	}
	switch {
	case len(parts) == 1:
		return parts[0], nil
	case op == "||":
		return orNode(parts), nil
	}
	return andNode(parts), nil
}

func (p *parser) not(depth int) (node, error) {
	if depth > deepestAssertion {
		return nil, p.wrong("more than %d parentheses and negations in each other", deepestAssertion)
	}
	switch p.token {
	case "!":
		p.next()
		of, err := p.not(depth + 1)
		return notNode{of}, err
	case "(":
		p.next()
		in, err := p.or(depth + 1)
		if err == nil && p.token != ")" {
			err = p.wrong("a parenthesis is not closed")
		}
		p.next()
		return in, err
	}
	return p.comparison()
}

var operators = []string{"<", "<=", "==", "!=", ">=", ">"}

func (p *parser) comparison() (node, error) {
	left, err := p.operand()
	if err != nil {
		return nil, err
	}
	if !slices.Contains(operators, p.token) {
		if p.token == "=" {
			return nil, p.wrong("= alone is no operator; write ==")
		}
		if left.kind != YesNo || left.name == "" {
			return nil, &SyntaxError{p.text, left.offset, p.alone(left)}
		}
		return leaf{left: left}, nil
	}
	op, at := p.token, p.at
	p.next()
	right, err := p.operand()
	if err != nil {
		return nil, err
	}
	wrong := func(offset int, format string, args ...any) (node, error) {
		return nil, &SyntaxError{p.text, offset, fmt.Sprintf(format, args...)}
	}
	switch {
	case left.name == "" && right.name == "":
		return wrong(left.offset, "nothing that is measured is compared; use a name, as %s", p.names.example())
	case !left.compares(right):
		for _, side := range []struct{ number, other operand }{{left, right}, {right, left}} {
			if side.number.name == "" && side.number.kind == Number && side.other.kind == Time {
				return wrong(side.number.offset, "a time needs a unit: ms, s, m or h")
			}
		}
		return wrong(at, "%s cannot be compared with %s", left.kind, right.kind)
	case (left.kind == YesNo || left.kind == Text) && op != "==" && op != "!=":
		return wrong(at, "%s is compared by == or != only", left.kind)
	}
	return leaf{left, right, op}, nil
}

// alone says what is missing beside an operand that says neither yes nor no.
func (p *parser) alone(o operand) string {
	what := strings.TrimSpace(p.text[o.offset:p.at])
	as := p.names.comparison(what, o.kind)
	if o.name == "" {
		as = p.names.example() + "==" + what
	}
	return fmt.Sprintf("%s is %s; compare it with something, as in %s", what, o.kind, as)
}

// compares reports whether two operands can be compared: those of one kind, and a
// number that was written without a unit with what has none.
func (o operand) compares(with operand) bool {
	plain := func(o, with operand) bool {
		return o.name == "" && o.kind == Number && (with.kind == Size || with.kind == Share)
	}
	return o.kind == with.kind || plain(o, with) || plain(with, o)
}

func (p *parser) operand() (operand, error) {
	o := operand{offset: p.at}
	token := p.token
	switch {
	case token == "":
		return o, p.wrong("the condition ends too early; a name is missing, as %s", p.names.example())
	case token[0] == '"':
		if len(token) < 2 || token[len(token)-1] != '"' {
			return o, p.wrong("the quotation mark is not closed")
		}
		o.kind, o.value = Text, Word(token[1:len(token)-1])
	case isDigit(token[0]) || token[0] == '.':
		if err := o.number(token); err != "" {
			return o, p.wrong("%s", err)
		}
	case token == "true" || token == "false":
		o.kind, o.value = YesNo, Is(token == "true")
	case isName(token[0]):
		return p.figure(o)
	case token == "'":
		return o, p.wrong("a text stands in double quotation marks")
	default:
		return o, p.wrong("unexpected %q; a name is missing, as %s", token, p.names.example())
	}
	p.next()
	return o, nil
}

// figure reads a name, and what it is the figure of.
func (p *parser) figure(o operand) (operand, error) {
	n, ok := p.names.find(p.token)
	if !ok || strings.HasPrefix(p.text[p.rest:], ".") {
		return o, p.wrong("%s", p.names.unknown(p.token, p.word()))
	}
	o.name, o.kind = p.token, n.Kind
	p.next()
	if p.token != "[" {
		if n.Each {
			subject, only := p.names.subject()
			if !only {
				return o, &SyntaxError{p.text, o.offset, fmt.Sprintf("there is one %s of each %s; write %s", o.name, p.names.Subject, p.names.write(n))}
			}
			o.subject, o.bare = subject, true
		}
		return o, nil
	}
	if !n.Each {
		return o, p.wrong("there is one %s in all; leave the brackets out", o.name)
	}
	p.next()
	if len(p.token) < 2 || p.token[0] != '"' || p.token[len(p.token)-1] != '"' {
		return o, p.wrong("in brackets stands the name of a %s in double quotation marks, as %s", p.names.Subject, p.names.write(n))
	}
	o.subject = p.token[1 : len(p.token)-1]
	if p.names.Subjects != nil && !slices.Contains(p.names.Subjects, o.subject) {
		return o, p.wrong("%s", p.names.noSubject(o.subject))
	}
	p.next()
	if p.token != "]" {
		return o, p.wrong("a bracket is not closed")
	}
	p.next()
	return o, nil
}

// units are what may stand behind a number, and what it is then multiplied and divided
// by: 95 % is the same number as 0.95 only where it is divided.
var units = map[string]struct {
	kind      Kind
	times, by float64
}{
	"": {Number, 1, 1}, "ms": {Time, 1, 1000}, "s": {Time, 1, 1}, "m": {Time, 60, 1}, "h": {Time, 3600, 1},
	"B": {Size, 1, 1}, "kB": {Size, 1e3, 1}, "MB": {Size, 1e6, 1}, "GB": {Size, 1e9, 1}, "%": {Share, 1, 100},
}

// number reads 60s, 1.5m, 100, 95%; the string is what is wrong with it.
func (o *operand) number(token string) (wrong string) {
	n := 0
	for n < len(token) && (isDigit(token[n]) || token[n] == '.') {
		n++
	}
	v, err := strconv.ParseFloat(token[:n], 64)
	if err != nil || math.IsInf(v, 0) {
		return fmt.Sprintf("%s is not a number", token[:n])
	}
	unit, ok := units[token[n:]]
	if !ok {
		return fmt.Sprintf("%s is no unit; write ms, s, m or h, B, kB, MB or GB, or %%", token[n:])
	}
	o.kind, o.value = unit.kind, Exactly(v*unit.times/unit.by)
	return ""
}
