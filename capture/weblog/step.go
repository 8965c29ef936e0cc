package weblog

import (
	"bytes"
	"strconv"
	"time"
)

// A step takes one value out of a line of text.
type step struct {
	before string // what stands before the value; for the first one only
	after  string // what stands behind it; empty at the end of the line
	field  Field
	kind   kind
	// second is the other field of a value that holds two: an address and its port.
	second Field
	quoted bool  // a quotation mark within the value is escaped by a backslash
	padded bool  // with blanks before it
	listed bool  // several may stand here: "a, b : c"
	clock  Clock // of times
}

// A kind says how a value is written.
type kind uint8

const (
	text kind = iota
	number
	fromZero     // Apache's %k: a number of 0 is the first
	seconds      // with a point: of durations
	partSeconds  // the same, one of several that add up
	milliseconds // the same
	microseconds
	nanoseconds
	lastSeconds   // nginx's list of upstreams: "0.010, 0.002 : 0.001"
	zeroMeansKept // HAProxy's %Tc in milliseconds, -1 if none was made
	addressPort   // "192.0.2.1:80", "[2001:db8::1]:80", "2001:db8::1:80" as HAProxy has it
	commonTime    // 17/May/2015:10:05:03 +0200
	bracketedTime // the same in brackets
	haproxyTime   // 17/May/2015:10:05:03.123, in the zone of the machine
	isoTime       // 2015-05-17T10:05:03.123+02:00
	unixSeconds   // 1431857103.123
	unixMilli     // 1431857103123
	unixMicro     //
	dayOf         // the day of a time in two fields, of which it comes first
	timeOf        // the rest of that
	resumedLetter // nginx: r or .
	resumedWord   // Apache: Resumed or Initial; true or false
	anyTime       // of JSON: whichever of these it is
	slashStatus   // Squid: TCP_MISS/200
	durationMS    // Traefik: 12ms
)

func (k kind) resolution() time.Duration {
	switch k {
	case haproxyTime, isoTime, unixSeconds, unixMilli, anyTime:
		return time.Millisecond
	case unixMicro:
		return time.Microsecond
	}
	return time.Second
}

// A Parser takes entries out of blocks of lines.
type Parser struct {
	layout *Layout
	want   Fields
	steps  []step // as far as they are wanted
	// strict has a line match to its end; otherwise to the last field that is wanted.
	strict bool

	rest  []byte
	entry Entry
	clock clock

	// Lines counts what was read, Bad those that are not of the layout, and Comments
	// those that a format has for itself.
	Lines, Bad, Comments int64
	// OnBad is called for each line that is bad, if it is set.
	OnBad func(line []byte)
}

// NewParser returns a parser of lines of l that takes the fields in want, those that the
// layout has. The status is read in any case, to tell a line from what is none. What
// stands behind the last field that is wanted is not looked at.
func NewParser(l *Layout, want Fields) *Parser {
	p := &Parser{layout: l, want: want | Of(Status, Time)}
	p.use(l.steps)
	return p
}

func (p *Parser) use(steps []step) {
	p.steps = nil
	for i, s := range steps {
		if p.strict || p.want.Has(s.field) || s.second != Ignored && p.want.Has(s.second) {
			p.steps = steps[:i+1]
		}
	}
}

// SetZone says which zone times are of that say none.
func (p *Parser) SetZone(zone *time.Location) {
	if zone != time.UTC {
		p.clock.local = zone
	}
}

// Reset gives the parser another block: whole lines, of which the last may lack its end.
func (p *Parser) Reset(block []byte) { p.rest = block }

// Next returns the next entry of the block, and false when there is none. The entry is
// overwritten by the next one.
func (p *Parser) Next() (*Entry, bool) {
	for len(p.rest) > 0 {
		line := p.rest
		if end := bytes.IndexByte(p.rest, '\n'); end >= 0 {
			line, p.rest = p.rest[:end], p.rest[end+1:]
		} else {
			p.rest = nil
		}
		if n := len(line); n > 0 && line[n-1] == '\r' {
			line = line[:n-1]
		}
		if len(line) == 0 {
			continue
		}
		p.Lines++
		if len(line) <= MaxLine && p.parse(line) {
			return &p.entry, true
		}
		if p.layout.w3c && line[0] == '#' {
			p.directive(line)
			continue
		}
		p.Bad++
		if p.OnBad != nil {
			p.OnBad(line)
		}
	}
	return nil, false
}

// parse takes a line apart, and reports whether it is of the layout.
func (p *Parser) parse(line []byte) bool {
	p.entry.clear()
	if p.layout.keys != nil {
		return p.object(line)
	}
	if bySyslog(line) {
		line = afterSyslog(line)
	}
	return p.match(line) || p.match(afterSyslog(line))
}

// match takes a line of text apart by the steps.
func (p *Parser) match(line []byte) bool {
	if len(p.steps) == 0 || len(line) < len(p.steps[0].before) || string(line[:len(p.steps[0].before)]) != p.steps[0].before {
		return false
	}
	at := len(p.steps[0].before)
	for i := range p.steps {
		s := &p.steps[i]
		for s.padded && at < len(line) && line[at] == ' ' {
			at++
		}
		end := s.end(line, at)
		if end < 0 {
			return false
		}
		if s.field != Ignored && !p.take(s, line[at:end]) {
			return false
		}
		at = end + len(s.after)
	}
	return true
}

// end returns where the value that begins at at ends: before what stands behind it, or
// at the end of the line; -1 if that is not there.
func (s *step) end(line []byte, at int) int {
	switch s.kind {
	case commonTime:
		return s.ends(line, at+len("02/Jan/2006:15:04:05 -0700"))
	case bracketedTime:
		return s.ends(line, at+len("[02/Jan/2006:15:04:05 -0700]"))
	}
	if s.after == "" {
		return len(line)
	}
	if at+1 < len(line) && line[at] == '-' && line[at+1] == s.after[0] && len(s.after) == 1 && !s.listed {
		return at + 1 // there is no value, which most of some fields are
	}
	for from := at; ; {
		i := bytes.IndexByte(line[from:], s.after[0])
		if i < 0 {
			return -1
		}
		i += from
		if s.stands(line[i:]) && !(s.quoted && i > at && line[i-1] == '\\' && escaped(line[at:i])) && !(s.listed && goesOn(line, at, i)) {
			return i
		}
		from = i + 1
	}
}

// stands reports whether what stands behind the value stands where its first byte does.
func (s *step) stands(rest []byte) bool {
	n := len(s.after)
	return n == 1 || len(rest) >= n && rest[1] == s.after[1] && (n == 2 || string(rest[2:n]) == s.after[2:])
}

// goesOn reports whether the blank at i is one within nginx's list of upstreams, "a, b : c".
func goesOn(line []byte, at, i int) bool {
	if line[i] != ' ' || i == at {
		return false
	}
	before := line[i-1]
	return before == ',' || before == ':' && i-1 > at && line[i-2] == ' ' ||
		i+2 < len(line) && line[i+1] == ':' && line[i+2] == ' '
}

// ends returns end if what stands behind the value stands there, otherwise -1.
func (s *step) ends(line []byte, end int) int {
	if end > len(line) || s.after == "" && end != len(line) ||
		len(line) < end+len(s.after) || string(line[end:end+len(s.after)]) != s.after {
		return -1
	}
	return end
}

// escaped reports whether what follows is escaped by an odd number of backslashes.
func escaped(before []byte) bool {
	n := 0
	for n < len(before) && before[len(before)-1-n] == '\\' {
		n++
	}
	return n%2 == 1
}

// take puts a value into the entry, and reports whether it is one of its kind.
func (p *Parser) take(s *step, v []byte) bool {
	switch s.field {
	case Time:
		return p.time(s.kind, v)
	case Status:
		return p.status(s.kind, v)
	}
	if s.kind == addressPort && s.second == ClientPort && bytes.IndexByte(v, ' ') >= 0 {
		return false // what stands before it is of something else
	}
	if !p.want.Has(s.field) && (s.second == Ignored || !p.want.Has(s.second)) || isNone(v) {
		return true
	}
	return p.entry.put(s.field, s.second, s.kind, v)
}

// isNone reports whether a value says that there is none.
func isNone(v []byte) bool { return len(v) == 0 || len(v) == 1 && v[0] == '-' }

// status takes three digits, or none: a client that left before it asked has 000 or "-"
// in some formats, and -1 in HAProxy's.
func (p *Parser) status(k kind, v []byte) bool {
	if k == slashStatus {
		slash := bytes.LastIndexByte(v, '/')
		if slash < 0 {
			return false
		}
		v = v[slash+1:]
	}
	if len(v) != 3 {
		return isNone(v) || string(v) == "-1" || string(v) == "0"
	}
	n := int64(0)
	for _, c := range v {
		if c < '0' || c > '9' {
			return false
		}
		n = 10*n + int64(c-'0')
	}
	if n > 0 {
		p.entry.Status = n
	}
	return true
}

// clear makes the entry one of which nothing is known.
func (e *Entry) clear() {
	*e = Entry{
		ClientPort: Unknown, Duration: Unknown, Connection: Unknown, Number: Unknown,
		Status: Unknown, Sent: Unknown, Received: Unknown, Resumed: Unknown, RTT: Unknown,
		ServerConnect: Unknown, ServerTime: Unknown,
	}
}

// text returns where a text is kept, nil for what is a number.
func (e *Entry) text(f Field) *[]byte {
	switch f {
	case Client:
		return &e.Client
	case Forwarded:
		return &e.Forwarded
	case Request:
		return &e.Request
	case Method:
		return &e.Method
	case URI:
		return &e.URI
	case Protocol:
		return &e.Protocol
	case Host:
		return &e.Host
	case Agent:
		return &e.Agent
	case State:
		return &e.State
	case TLS:
		return &e.TLS
	case Server:
		return &e.Server
	}
	return nil
}

// number returns where a number is kept, nil for what is a text.
func (e *Entry) number(f Field) *int64 {
	switch f {
	case ClientPort:
		return &e.ClientPort
	case Duration:
		return &e.Duration
	case Connection:
		return &e.Connection
	case Number:
		return &e.Number
	case Sent:
		return &e.Sent
	case Received:
		return &e.Received
	case Resumed:
		return &e.Resumed
	case RTT:
		return &e.RTT
	case ServerConnect:
		return &e.ServerConnect
	case ServerTime:
		return &e.ServerTime
	}
	return nil
}

// put stores a value, and reports whether it is one of its kind.
func (e *Entry) put(f, second Field, k kind, v []byte) bool {
	if k == addressPort {
		address, port := splitPort(v)
		if t := e.text(f); t != nil {
			*t = address
		}
		if n := e.number(second); n != nil {
			*n = port
		}
		return true
	}
	if t := e.text(f); t != nil {
		*t = v
		return true
	}
	n := e.number(f)
	if n == nil {
		return true
	}
	value, ok := k.parse(v)
	if k == partSeconds && *n != Unknown {
		value = max(value, 0) + *n
	}
	*n = value
	return ok
}

// parse reads a number of a kind: durations in nanoseconds.
func (k kind) parse(v []byte) (int64, bool) {
	switch k {
	case number:
		return whole(v)
	case fromZero:
		n, ok := whole(v)
		return n + 1, ok
	case seconds, partSeconds:
		return decimal(v, 9)
	case milliseconds:
		return decimal(v, 6)
	case microseconds:
		return decimal(v, 3)
	case nanoseconds:
		return decimal(v, 0)
	case durationMS:
		return decimal(bytes.TrimSuffix(v, []byte("ms")), 6)
	case zeroMeansKept:
		if v[0] == '-' {
			return Unknown, true
		}
		return decimal(v, 6)
	case lastSeconds:
		if i := bytes.LastIndexAny(v, ",:"); i >= 0 {
			v = bytes.TrimLeft(v[i+1:], " ")
		}
		if isNone(v) {
			return Unknown, true
		}
		return decimal(v, 9)
	case resumedLetter, resumedWord:
		switch v[0] {
		case 'r', 'R', 't', 'T', '1':
			return 1, true
		case '.', 'I', 'i', 'f', 'F', '0':
			return 0, true
		}
		return Unknown, false
	}
	return Unknown, false
}

// whole reads a decimal number without a sign; HAProxy's "+" for "and more" may stand
// before it.
func whole(v []byte) (int64, bool) {
	if len(v) > 0 && v[0] == '+' {
		v = v[1:]
	}
	if len(v) == 0 || len(v) > 18 {
		return Unknown, false
	}
	n := int64(0)
	for _, c := range v {
		if c < '0' || c > '9' {
			return Unknown, false
		}
		n = 10*n + int64(c-'0')
	}
	return n, true
}

// decimal reads a decimal fraction as a whole number of 10^-digits, cutting what is finer.
// A negative one is Unknown: HAProxy's -1, and ALB's, are times that there were not.
func decimal(v []byte, digits int) (int64, bool) {
	if len(v) > 0 && v[0] == '-' {
		_, ok := decimal(v[1:], digits)
		return Unknown, ok
	}
	if len(v) > 0 && v[0] == '+' {
		v = v[1:]
	}
	point := bytes.IndexByte(v, '.')
	if point < 0 {
		point = len(v)
	}
	n, ok := whole(v[:point])
	if !ok {
		return exponent(v, digits)
	}
	fraction := v[min(point+1, len(v)):]
	for i := range digits {
		if n > (1<<63-1)/10-1 {
			return Unknown, false
		}
		n *= 10
		if i < len(fraction) {
			c := fraction[i]
			if c < '0' || c > '9' {
				return exponent(v, digits)
			}
			n += int64(c - '0')
		}
	}
	return n, true
}

// exponent reads numbers that programs write as 2.4e-05.
func exponent(v []byte, digits int) (int64, bool) {
	if len(v) > 32 || !bytes.ContainsAny(v, "eE") {
		return Unknown, false
	}
	f, err := strconv.ParseFloat(string(v), 64)
	if err != nil || f < 0 {
		return Unknown, false
	}
	for range digits {
		f *= 10
	}
	if f > 1<<62 {
		return Unknown, false
	}
	return int64(f), true
}

// splitPort takes an address and a port apart. An IPv6 address may lack its brackets:
// what stands behind the last colon is the port then, since who writes this format writes
// a port always.
func splitPort(v []byte) ([]byte, int64) {
	colon := bytes.LastIndexByte(v, ':')
	if colon < 0 || colon < bytes.LastIndexByte(v, ']') {
		return bytes.Trim(v, "[]"), Unknown
	}
	port, ok := whole(v[colon+1:])
	if !ok || port > 65535 {
		return v, Unknown
	}
	return bytes.Trim(v[:colon], "[]"), port
}
