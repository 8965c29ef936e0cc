package linger

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"strings"
	"time"
)

// What carries the messages of DNS.
const (
	OverUDP   = "udp"   // RFC 1035, 4.2.1
	OverTCP   = "tcp"   // RFC 7766
	OverTLS   = "tls"   // RFC 7858
	OverHTTPS = "https" // RFC 8484
	OverQUIC  = "quic"  // RFC 9250
)

// atOnce is how many queries may wait for their answers at the same time where each
// has a connection, or a datagram, of its own: as many as dnsperf allows.
const atOnce = 100

// A Query is a question of DNS in the class IN.
type Query struct {
	// Name is the domain name in presentation form, without the dot at its end but
	// for the root's (RFC 1035, 5.1).
	Name string `json:"name"`
	// Type is the mnemonic of the record type in upper case: "A", "AAAA", "HTTPS",
	// or "TYPE65" for any (RFC 3597, 5).
	Type string `json:"type"`
}

func (q Query) String() string { return q.Name + " " + q.Type }

// IsQuery reports whether the exchange is one of DNS.
func (e Exchange) IsQuery() bool { return e.Query != Query{} }

const (
	// MaxMessage is the longest message of DNS: over TCP, its length has two bytes
	// (RFC 1035, 4.2.2).
	MaxMessage = 1<<16 - 1
	maxName    = 253 // characters of a name without escapes (RFC 1035, 2.3.4)
	maxLabel   = 63
)

func (e Exchange) validateQuery() error {
	switch {
	case e.Method != "" || e.Path != "" || e.Status != 0 || e.ContentType != "":
		return fmt.Errorf("a query of DNS has neither method, path, status nor content type")
	case e.RequestHead != 0 || e.RequestBody != 0 || e.ResponseHead != 0:
		return fmt.Errorf("of a query of DNS, only the answer's size can be chosen")
	case e.ResponseBody < 0 || e.ResponseBody > MaxMessage:
		return fmt.Errorf("an answer of %d bytes; 0 to %d can be sent", e.ResponseBody, MaxMessage)
	}
	return e.Query.validate()
}

func (q Query) validate() error {
	if q.Type == "" || strings.Trim(q.Type, "ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-") != "" {
		return fmt.Errorf("%q is not a type of record; write A, AAAA, HTTPS, MX or the like", q.Type)
	}
	if q.Name == "." {
		return nil
	}
	if q.Name == "" || len(strings.ReplaceAll(q.Name, `\`, "")) > 4*maxName {
		return fmt.Errorf("%q is not a name", q.Name)
	}
	length := 0
	for label := range labels(q.Name) {
		n, err := labelLength(label)
		if err != nil {
			return fmt.Errorf("the name %q %w", q.Name, err)
		}
		length += n + 1
	}
	if length-1 > maxName {
		return fmt.Errorf("the name %q has %d characters; %d are possible (RFC 1035, 2.3.4)", q.Name, length-1, maxName)
	}
	return nil
}

// labels cuts a name at the dots that no backslash stands before.
func labels(name string) func(func(string) bool) {
	return func(yield func(string) bool) {
		begin := 0
		for i := 0; i < len(name); i++ {
			switch name[i] {
			case '\\':
				i++
			case '.':
				if !yield(name[begin:i]) {
					return
				}
				begin = i + 1
			}
		}
		yield(name[begin:])
	}
}

// labelLength returns how many bytes a label has on the wire, each escape being one
// (RFC 1035, 5.1: \\X, \\DDD).
func labelLength(label string) (n int, err error) {
	for i := 0; i < len(label); i++ {
		if label[i] <= ' ' || label[i] >= 0x7f {
			return 0, errors.New("has a character that must be written as \\DDD")
		}
		if label[i] == '\\' {
			switch rest := label[i+1:]; {
			case len(rest) >= 3 && isDigit(rest[0]) && isDigit(rest[1]) && isDigit(rest[2]):
				if int(rest[0]-'0')*100+int(rest[1]-'0')*10+int(rest[2]-'0') > 255 {
					return 0, errors.New("has an escape above \\255")
				}
				i += 3
			case rest == "" || isDigit(rest[0]):
				return 0, errors.New("ends in the midst of an escape")
			default:
				i++
			}
		}
		n++
	}
	switch {
	case n == 0:
		return 0, errors.New("has an empty label")
	case n > maxLabel:
		return 0, fmt.Errorf("has a label of %d bytes; %d are possible (RFC 1035, 2.3.4)", n, maxLabel)
	}
	return n, nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// ParseQuery reads a name and a type; a dot at the end of the name is no part of it.
func ParseQuery(name, kind string) (Query, error) {
	q := Query{Name: name, Type: strings.ToUpper(kind)}
	// A dot behind an odd number of backslashes is one of the label's own.
	bare, ok := strings.CutSuffix(name, ".")
	if escapes := len(bare) - len(strings.TrimRight(bare, `\`)); ok && bare != "" && bare != "." && escapes%2 == 0 {
		q.Name = bare
	}
	return q, q.validate()
}

// ParseNames reads the queries of a workload as dnsperf does: a name and a type on
// each line, all known from the start. What follows a semicolon or a # is a comment
// where a line begins with it. An error names the line.
func ParseNames(name string, r io.Reader) (Workload, error) {
	w := Workload{Name: name, Scheme: SchemeDNS}
	scan := bufio.NewScanner(r)
	scan.Buffer(nil, maxListLine)
	number := 0
	for scan.Scan() {
		number++
		if number > maxListLines {
			return Workload{}, fmt.Errorf("line %d: a list has at most %d lines; is this a list?", number, maxListLines)
		}
		fields := strings.Fields(strings.TrimPrefix(scan.Text(), "\ufeff"))
		if len(fields) == 0 || fields[0][0] == ';' || fields[0][0] == '#' {
			continue
		}
		if len(fields) != 2 {
			return Workload{}, fmt.Errorf("line %d: %s; write NAME TYPE, as in www.example.com A", number, Plural(len(fields), "word"))
		}
		if len(w.Exchanges) == MaxExchanges {
			return Workload{}, fmt.Errorf("line %d: one run holds at most %d queries; shorten the list", number, MaxExchanges)
		}
		q, err := ParseQuery(fields[0], fields[1])
		if err != nil {
			return Workload{}, fmt.Errorf("line %d: %w", number, err)
		}
		w.Exchanges = append(w.Exchanges, Exchange{Query: q, Parent: NoParent})
	}
	if err := scan.Err(); errors.Is(err, bufio.ErrTooLong) {
		return Workload{}, fmt.Errorf("line %d: longer than %d bytes; is this a list of names?", number+1, maxListLine)
	} else if err != nil {
		return Workload{}, fmt.Errorf("line %d: %w", number+1, err)
	}
	if len(w.Exchanges) == 0 {
		return Workload{}, errors.New("the list has no names; write one a line: NAME TYPE")
	}
	w.Description = "A list of " + Plural(len(w.Exchanges), "name") + "."
	return w, nil
}

// Names is what a page needs: 20 names of hosts, each known once the answer to the
// one that led to it has come. All lie under example, which nobody owns (RFC 2606, 2).
func Names() Workload {
	w := Workload{
		Name:        "dns",
		Description: "The 20 names that a page needs, in four steps: its own, nine that it names, and ten that those lead to.",
		Scheme:      SchemeDNS,
	}
	ask := func(parent int, names ...string) (first int) {
		first = len(w.Exchanges)
		for _, n := range names {
			w.Exchanges = append(w.Exchanges, Exchange{Query: Query{Name: n + ".example", Type: "A"}, Parent: parent})
		}
		return first
	}
	page := ask(NoParent, "www.board")
	named := ask(page, "static.board", "img1.board", "img2.board", "img3.board", "fonts.type", "cdn.script", "tag.metrics", "ads.market", "login.ident")
	tags, ads := named+6, named+7
	more := ask(ads, "bid1.market", "bid2.market", "bid3.market", "sync.market")
	ask(tags, "collect.metrics", "consent.privacy")
	ask(more, "creative.brand", "pixel.brand", "video.stream")
	ask(named+8, "token.ident")
	return w
}

// AtRate returns the queries of w, again and again from the first on, as they come
// to a resolver: at rate a second on average for so long, each independent of all
// others. The gaps between them are those of a Poisson process, fixed by the seed.
func (w Workload) AtRate(rate float64, lasting time.Duration, seed uint64) (Workload, error) {
	if w.Scheme != SchemeDNS {
		return w, fmt.Errorf("%s is no list of names; a rate is for the workload dns", w.Name)
	}
	if !(rate > 0) || lasting <= 0 || lasting > MaxThink || rate*lasting.Seconds() > MaxExchanges {
		return w, fmt.Errorf("a rate of %g/s for %v; give more than nothing, at most %v and %d queries", rate, lasting, time.Duration(MaxThink), MaxExchanges)
	}
	out := w
	out.Description = fmt.Sprintf("%s Asked %g times a second for %v, at random.", w.Description, rate, lasting)
	out.Exchanges = nil
	rng := rand.New(rand.NewPCG(seed, 53))
	for at := 0.0; ; at += rng.ExpFloat64() / rate {
		e := w.Exchanges[len(out.Exchanges)%len(w.Exchanges)]
		e.Parent, e.At, e.Think = NoParent, 0, time.Duration(at*float64(time.Second))
		if e.Think >= lasting || len(out.Exchanges) == MaxExchanges {
			return out, nil
		}
		out.Exchanges = append(out.Exchanges, e)
	}
}
