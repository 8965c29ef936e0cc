package conformance

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"linger"
	"linger/assert"
	"linger/finding"
	"linger/profile"
)

// An Assertion is a condition on a Profile, as `idle>=60s && close_honoured`.
//
//	or         = and { "||" and }
//	and        = not { "&&" not }
//	not        = "!" not | "(" or ")" | comparison
//	comparison = operand [ ( "<" | "<=" | "==" | "!=" | ">=" | ">" ) operand ]
//	operand    = name | number [ unit ] | '"' text '"'
//
// Units are ms, s, m and h. A name is one of Names. What was not measured makes a
// comparison neither true nor false, and so the assertion, unless the rest decides
// it (Kleene's logic).
type Assertion struct {
	Text string
	root node
}

// A SyntaxError says what is wrong with an assertion, and where.
type SyntaxError struct {
	Text   string
	Offset int // in bytes
	Wrong  string
}

func (e *SyntaxError) Error() string {
	column := utf8.RuneCountInString(e.Text[:e.Offset]) + 1
	return fmt.Sprintf("%q, column %d: %s", e.Text, column, e.Wrong)
}

// Bounds of what is parsed: an assertion is written by hand.
const (
	longestAssertion = 4096 // bytes
	deepestAssertion = 100  // parentheses and negations in each other
)

// ParseAssertion reads an assertion. The error is a *SyntaxError.
func ParseAssertion(text string) (Assertion, error) {
	p := parser{text: text}
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

// Of decides the assertion about a server.
func (a Assertion) Of(p *profile.Profile) assert.Result {
	truth, whys := a.root.decide(p)
	out := assert.Result{Text: a.Text, Truth: truth}
	if truth != assert.Holds {
		slices.Sort(whys)
		out.Why = strings.Join(slices.Compact(whys), "; ")
	}
	return out
}

// A node decides a part of an assertion; whys are the figures that keep it from holding.
type node interface {
	decide(*profile.Profile) (assert.Truth, []string)
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

func (n orNode) decide(p *profile.Profile) (assert.Truth, []string) {
	return join(n, p, assert.Holds, assert.Broken)
}
func (n andNode) decide(p *profile.Profile) (assert.Truth, []string) {
	return join(n, p, assert.Broken, assert.Holds)
}

// join decides parts of which one that is strong decides all, and of which all have to
// be weak otherwise. What decides it is what tells why.
func join(parts []node, p *profile.Profile, strong, weak assert.Truth) (assert.Truth, []string) {
	whys := map[assert.Truth][]string{}
	seen := map[assert.Truth]bool{}
	for _, of := range parts {
		t, w := of.decide(p)
		seen[t], whys[t] = true, append(whys[t], w...)
	}
	for _, t := range []assert.Truth{strong, assert.NotKnown} {
		if seen[t] {
			return t, whys[t]
		}
	}
	return weak, whys[weak]
}

func (n notNode) decide(p *profile.Profile) (assert.Truth, []string) {
	t, w := n.of.decide(p)
	switch t {
	case assert.Holds:
		return assert.Broken, w
	case assert.Broken:
		return assert.Holds, w
	}
	return assert.NotKnown, w
}

func (n leaf) decide(p *profile.Profile) (assert.Truth, []string) {
	l := n.left.of(p)
	if n.op == "" {
		return truthOf(l.known(), l.low == 1), []string{l.told(n.left.name)}
	}
	r := n.right.of(p)
	var whys []string
	for _, side := range []struct {
		o operand
		v value
	}{{n.left, l}, {n.right, r}} {
		if side.o.name != "" {
			whys = append(whys, side.v.told(side.o.name))
		}
	}
	if n.left.kind == word || n.left.kind == yesNo {
		same := l.text == r.text && l.low == r.low
		return truthOf(l.known() && r.known(), same == (n.op == "==")), whys
	}
	t := assert.NotKnown
	if order, ok := l.compare(r); ok {
		t = truthOf(true, slices.Contains(order.satisfies(), n.op))
	} else if l.known() && r.known() {
		t = undecided(n.op, l, r)
	}
	return t, whys
}

func truthOf(known, holds bool) assert.Truth {
	switch {
	case !known:
		return assert.NotKnown
	case holds:
		return assert.Holds
	}
	return assert.Broken
}

// An order is how one value stands to another.
type order int

func (o order) satisfies() []string {
	switch {
	case o < 0:
		return []string{"<", "<=", "!="}
	case o > 0:
		return []string{">", ">=", "!="}
	}
	return []string{"<=", ">=", "=="}
}

// A kind is what a value can be compared with.
type kind string

const (
	span  kind = "a time"
	count kind = "a number"
	yesNo kind = "yes or no"
	word  kind = "a text"
)

// A value is a figure as an assertion sees it: between low and high. Of a yesNo low is
// 1 or 0.
type value struct {
	low, high float64
	// same is what it may differ by from another and still be the same.
	same float64
	text string
	said string // as it is told
	why  string // it is not known
}

func (v value) known() bool { return v.why == "" }

// told says what the name stands for.
func (v value) told(name string) string {
	if !v.known() {
		return name + " is not known: " + v.why
	}
	return name + " is " + v.said
}

// compare orders two values; ok is false where the order cannot be told. Values that
// differ by no more than the doubt about them are the same, as long as that doubt is
// no more than what a probe promises.
func (v value) compare(w value) (o order, ok bool) {
	if !v.known() || !w.known() {
		return 0, false
	}
	near := max(v.same, w.same)
	middle := func(v value) float64 { return (v.low + v.high) / 2 }
	sure := !math.IsInf(v.high, 1) && !math.IsInf(w.high, 1)
	switch {
	case sure && v.high-v.low <= 2*near && w.high-w.low <= 2*near && math.Abs(middle(v)-middle(w)) <= near:
		return 0, true
	case v.high < w.low:
		return -1, true
	case v.low > w.high:
		return 1, true
	}
	return 0, false
}

// undecided is what follows of an operator for values of which the order is not
// known: a lower bound of 20 s is >= 20 s, whatever the limit is.
func undecided(op string, l, r value) assert.Truth {
	switch {
	case l.low >= r.high && op == ">=", l.high <= r.low && op == "<=":
		return assert.Holds
	case l.low >= r.high && op == "<", l.high <= r.low && op == ">":
		return assert.Broken
	}
	return assert.NotKnown
}

// An operand is a name, or a value that was written down.
type operand struct {
	name   string // "" of a value
	kind   kind
	offset int
	value  value
	figure func(*profile.Profile) value
}

func (o operand) of(p *profile.Profile) value {
	if o.name == "" {
		return o.value
	}
	return o.figure(p)
}

// A parser reads an assertion token by token.
type parser struct {
	text  string
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
		p.token = s[:n]
	case s[0] == '"':
		if n := strings.IndexByte(s[1:], '"'); n >= 0 {
			p.token = s[:n+2]
		} else {
			p.token = s
		}
	default:
		for _, op := range []string{"&&", "||", "<=", ">=", "==", "!=", "<", ">", "!", "(", ")"} {
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
		if left.kind != yesNo || left.name == "" {
			what := p.text[left.offset:p.at]
			return nil, &SyntaxError{p.text, left.offset, fmt.Sprintf("%s is %s; compare it with something, as in %s", strings.TrimSpace(what), left.kind, example(left.kind))}
		}
		return leaf{left: left}, nil
	}
	op, at := p.token, p.at
	p.next()
	right, err := p.operand()
	if err != nil {
		return nil, err
	}
	switch {
	case left.name == "" && right.name == "":
		return nil, &SyntaxError{p.text, left.offset, "nothing of the server is compared; use a name, as idle"}
	case left.kind != right.kind && (left.kind == span || right.kind == span) && (left.kind == count || right.kind == count):
		n := right
		if left.kind == count {
			n = left
		}
		if n.name == "" {
			return nil, &SyntaxError{p.text, n.offset, "a time needs a unit: ms, s, m or h"}
		}
		fallthrough
	case left.kind != right.kind:
		return nil, &SyntaxError{p.text, at, fmt.Sprintf("%s cannot be compared with %s", left.kind, right.kind)}
	case (left.kind == yesNo || left.kind == word) && op != "==" && op != "!=":
		return nil, &SyntaxError{p.text, at, fmt.Sprintf("%s is compared by == or != only", left.kind)}
	}
	return leaf{left, right, op}, nil
}

func example(k kind) string {
	switch k {
	case span:
		return "idle>=60s"
	case word:
		return `ending=="FIN"`
	}
	return "requests>=100"
}

func (p *parser) operand() (operand, error) {
	o := operand{offset: p.at}
	token := p.token
	switch {
	case token == "":
		return o, p.wrong("the condition ends too early; a name is missing, as idle")
	case token[0] == '"':
		if len(token) < 2 || token[len(token)-1] != '"' {
			return o, p.wrong("the quotation mark is not closed")
		}
		o.kind, o.value = word, value{text: token[1 : len(token)-1]}
	case isDigit(token[0]) || token[0] == '.':
		if err := o.number(token); err != "" {
			return o, p.wrong("%s", err)
		}
	case isName(token[0]):
		f, ok := figureNamed(token)
		if !ok {
			hint := ""
			if near := linger.Nearest(token, Words()); len(near) > 0 {
				hint = "did you mean " + strings.Join(near, " or ") + "? "
			}
			return o, p.wrong("nothing is called %s; %sdocs/probe.md and linger probe --list name what there is", token, hint)
		}
		o.name, o.kind, o.figure = token, f.kind, f.of
	default:
		return o, p.wrong("unexpected %q; a name is missing, as idle", token)
	}
	p.next()
	return o, nil
}

// number reads 60s, 1.5m, 100; the string is what is wrong with it.
func (o *operand) number(token string) (wrong string) {
	n := 0
	for n < len(token) && (isDigit(token[n]) || token[n] == '.') {
		n++
	}
	v, err := strconv.ParseFloat(token[:n], 64)
	if err != nil {
		return fmt.Sprintf("%s is not a number", token[:n])
	}
	o.kind = span
	switch token[n:] {
	case "":
		o.kind = count
	case "ms":
		v *= 1e-3
	case "s":
	case "m":
		v *= 60
	case "h":
		v *= 3600
	default:
		return fmt.Sprintf("%s is no unit; write ms, s, m or h", token[n:])
	}
	o.value = value{low: v, high: v}
	return ""
}

// A figure is what an assertion can name.
type figure struct {
	Name, Help string
	kind       kind
	of         func(*profile.Profile) value
}

// A protocolFigure is one of each protocol: its name alone is of HTTP/1.1, or of the
// only protocol that there is; behind a _ stands another.
type protocolFigure struct {
	name, help string
	kind       kind
	of         func(*profile.Protocol) value
}

var protocolFigures = []protocolFigure{
	{"idle", "idle limit after a response", span, func(p *profile.Protocol) value { return valueOf(p.AfterResponse) }},
	{"idle_connect", "idle limit after connecting, nothing sent", span, func(p *profile.Protocol) value { return valueOf(p.AfterConnect) }},
	{"idle_tls", "idle limit after the handshake of TLS, nothing sent behind it", span, func(p *profile.Protocol) value { return valueOf(p.AfterTLS) }},
	{"age", "for how long a connection lives that is never idle", span, func(p *profile.Protocol) value { return valueOf(p.Age) }},
	{"requests", "requests on one connection", count, func(p *profile.Protocol) value { return countOf(p.Requests) }},
	{"announced", "idle limit that is announced", span, func(p *profile.Protocol) value {
		d, ok := p.Announced.Timeout.Get()
		if !ok {
			return value{why: "none is announced"}
		}
		return value{low: seconds(d), high: seconds(d), said: d.String()}
	}},
	{"ending", "how an idle connection ends", word, func(p *profile.Protocol) value {
		if p.AfterResponse.State != profile.Measured {
			return value{why: unknown(p.AfterResponse)}
		}
		return value{text: string(p.AfterResponse.Ending), said: string(p.AfterResponse.Ending)}
	}},
	{"pipelining", "requests sent without waiting are all answered, in order", yesNo, func(p *profile.Protocol) value {
		if p.Pipelining == nil || p.Pipelining.State != profile.Measured {
			return value{why: "it was not measured"}
		}
		ordered, known := p.Pipelining.InOrder.Get()
		if !known && p.Pipelining.Answered == p.Pipelining.Sent {
			return value{why: "all requests are answered alike, so that the order does not show"}
		}
		return yes(ordered && p.Pipelining.Answered == p.Pipelining.Sent, p.Pipelining.String())
	}},
}

var figures = []figure{
	{"h1", "HTTP/1.1 is spoken", yesNo, offered("http/1.1")},
	{"h2", "HTTP/2 is spoken", yesNo, offered("h2")},
	{"h3", "HTTP/3 is spoken", yesNo, offered("h3")},
	{"rtt", "round-trip time of TCP's handshake", span, func(p *profile.Profile) value {
		if p.RTT.N == 0 {
			return value{why: "it was not measured"}
		}
		return value{low: seconds(p.RTT.Low), high: seconds(p.RTT.High), said: p.RTT.Median.String()}
	}},
	{"parallel", "connections that were open at once and answered", count, func(p *profile.Profile) value { return countOf(p.Parallel) }},
	{"status", "status of the ordinary answer", count, func(p *profile.Profile) value {
		if p.Baseline.Status == 0 {
			return value{why: "there was no answer of HTTP"}
		}
		n := float64(p.Baseline.Status)
		return value{low: n, high: n, said: strconv.Itoa(p.Baseline.Status)}
	}},
	{"software", "what the server calls itself", word, func(p *profile.Profile) value {
		if p.Software == "" {
			return value{why: "the server does not say"}
		}
		return value{text: p.Software, said: p.Software}
	}},
	{"tls", "highest version of TLS that is accepted", count, tlsVersion(func(a, b float64) bool { return a > b })},
	{"tls_least", "lowest version of TLS that is accepted", count, tlsVersion(func(a, b float64) bool { return a < b })},
	{"tickets", "session tickets after one handshake", count, func(p *profile.Profile) value {
		if p.TLS == nil {
			return value{why: noTLS}
		}
		return countOf(p.TLS.Tickets)
	}},
	{"resumes", "a session ticket works", yesNo, func(p *profile.Profile) value {
		if p.TLS == nil {
			return value{why: noTLS}
		}
		b, ok := p.TLS.Resumes.Get()
		return yesIf(b, ok)
	}},
	{"early_data", "a session ticket allows early data", yesNo, func(p *profile.Profile) value {
		if p.TLS == nil {
			return value{why: noTLS}
		}
		b, ok := p.TLS.Early.Get()
		return yesIf(b, ok)
	}},
	{"alt_svc", "HTTP/3 is where Alt-Svc says", yesNo, func(p *profile.Profile) value {
		if p.AltSvc == nil || p.AltSvc.Value == "" {
			return value{why: "there is no Alt-Svc"}
		}
		b, ok := p.AltSvc.Works.Get()
		return yesIf(b, ok)
	}},
	{"fails", "cases that fail", count, outcomes(profile.Fail)},
	{"warnings", "cases with a warning", count, outcomes(profile.Warn)},
	{"passes", "cases that pass", count, outcomes(profile.Pass)},
	{"unmeasured", "cases that were not measured", count, outcomes(profile.NotMeasured)},
}

const noTLS = "nothing of TLS was measured"

// protocolSuffixes are the protocols that a figure can be of, as they stand behind its name.
var protocolSuffixes = []string{"h1", "h2", "h3", "udp", "tcp", "dot", "doh", "doh3", "doq"}

// A Name is what an assertion can name, with what it stands for.
type Name struct{ Name, Kind, Help string }

// Names are what an assertion can name besides the cases, whose names have _ for -.
func Names() []Name {
	var out []Name
	for _, f := range protocolFigures {
		out = append(out, Name{f.name, string(f.kind), f.help})
	}
	for _, f := range figures {
		out = append(out, Name{f.Name, string(f.kind), f.Help})
	}
	return out
}

// Words are all names that complete an assertion.
func Words() []string {
	var out []string
	for _, n := range Names() {
		out = append(out, n.Name)
	}
	for _, f := range protocolFigures {
		out = append(out, f.name+"_h2", f.name+"_h3")
	}
	for _, c := range Cases() {
		out = append(out, caseName(c.ID))
	}
	return out
}

func caseName(id string) string { return strings.ReplaceAll(id, "-", "_") }

func figureNamed(name string) (figure, bool) {
	for _, f := range figures {
		if f.Name == name {
			return f, true
		}
	}
	for _, c := range Cases() {
		if caseName(c.ID) == name {
			return figure{name, c.Title, yesNo, verdictOn(c.ID)}, true
		}
	}
	for _, f := range protocolFigures {
		if f.name == name {
			return figure{name, f.help, f.kind, ofProtocol(f, "")}, true
		}
		for _, suffix := range protocolSuffixes {
			if f.name+"_"+suffix == name {
				return figure{name, f.help, f.kind, ofProtocol(f, suffix)}, true
			}
		}
	}
	return figure{}, false
}

// ofProtocol looks for the figure in that protocol; "" is HTTP/1.1, or whichever the
// document has first where it has none.
func ofProtocol(f protocolFigure, suffix string) func(*profile.Profile) value {
	return func(p *profile.Profile) value {
		name := suffix
		if suffix == "" || suffix == "h1" {
			name = "http/1.1"
		}
		i := slices.IndexFunc(p.Protocols, func(q *profile.Protocol) bool { return q.Name == name })
		if i < 0 && suffix == "" && len(p.Protocols) > 0 {
			i = 0
		}
		if i < 0 {
			return value{why: "nothing was measured of " + name}
		}
		q := p.Protocols[i]
		if v := f.of(q); v.known() || q.Offered || q.Why == "" {
			return v
		}
		return value{why: q.Why}
	}
}

func verdictOn(id string) func(*profile.Profile) value {
	return func(p *profile.Profile) value {
		r, ok := p.ResultOf(id)
		switch {
		case !ok:
			return value{why: "it was not among the cases that were asked for"}
		case r.Outcome == profile.NotMeasured:
			return value{why: r.Text}
		case r.Outcome == profile.Pass:
			return yes(true, "so")
		}
		return yes(false, "not so: "+r.Text)
	}
}

func offered(protocol string) func(*profile.Profile) value {
	return func(p *profile.Profile) value {
		for _, q := range p.Protocols {
			switch offers, known := q.Offers(); {
			case q.Name != protocol:
			case known && offers:
				return yes(true, "spoken")
			case known:
				return yes(false, q.Why)
			case q.Why != "":
				return value{why: q.Why}
			}
		}
		return value{why: "it was not measured"}
	}
}

func tlsVersion(better func(a, b float64) bool) func(*profile.Profile) value {
	return func(p *profile.Profile) value {
		if p.TLS == nil {
			return value{why: noTLS}
		}
		var best float64
		for _, s := range p.TLS.Versions {
			if v, err := strconv.ParseFloat(s, 64); err == nil && (best == 0 || better(v, best)) {
				best = v
			}
		}
		if best == 0 {
			return value{why: noTLS}
		}
		return value{low: best, high: best, said: finding.Trimmed(best, 3)}
	}
}

func outcomes(o profile.Outcome) func(*profile.Profile) value {
	return func(p *profile.Profile) value {
		n := p.Outcomes()[o]
		return value{low: float64(n), high: float64(n), said: strconv.Itoa(n)}
	}
}

func yes(b bool, said string) value {
	v := value{said: said}
	if b {
		v.low = 1
	}
	return v
}

func yesIf(b, known bool) value {
	switch {
	case !known:
		return value{why: "it was not measured"}
	case b:
		return yes(true, "so")
	}
	return yes(false, "not so")
}

func valueOf(t profile.Timeout) value {
	low, high, ok := t.Interval()
	if !ok {
		return value{why: unknown(t)}
	}
	v := value{low: seconds(low), high: seconds(high), said: t.String()}
	if t.State == profile.AtLeast {
		v.high = math.Inf(1)
	} else {
		v.same = min(seconds(max(t.Uncertainty, profile.Duration(10*time.Millisecond))), seconds(profile.Slack(t.Median)))
	}
	return v
}

// unknown is why there is no figure.
func unknown(t profile.Timeout) string {
	switch {
	case t.State == profile.AtLeast:
		return "waiting ended before: " + t.String()
	case t.Why != "":
		return t.Why
	}
	return "it was not measured"
}

func countOf(c profile.Count) value {
	v := value{low: float64(c.N), high: float64(c.N), said: c.String()}
	switch c.State {
	case profile.Measured:
	case profile.AtLeast:
		v.high = math.Inf(1)
	default:
		if v.why = c.Why; v.why == "" {
			v.why = "it was not measured"
		}
	}
	return v
}

func seconds(d profile.Duration) float64 { return time.Duration(d).Seconds() }

// ParseAssertions reads several, and stops at the first that is wrong.
func ParseAssertions(texts []string) ([]Assertion, error) {
	var out []Assertion
	for _, text := range texts {
		a, err := ParseAssertion(text)
		if err != nil {
			return nil, err
		}
		out = append(out, a)
	}
	return out, nil
}
