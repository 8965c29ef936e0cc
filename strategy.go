package linger

import (
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Unlimited as a Strategy's InFlight or MaxRequests sets no bound.
const Unlimited = 0

// A Strategy says how a client uses connections. Every strategy is a row of
// values for the one policy machine; none has code of its own.
type Strategy struct {
	// Name is the canonical spelling, as ParseStrategy reads it: "close:6".
	Name string `json:"name"`
	// Version is the HTTP version on the wire: "1.0", "1.1", "2" or "3"; empty for DNS
	// that does not travel by HTTP.
	Version string `json:"version,omitempty"`
	// Client is the program that fetches; empty is linger's own.
	Client string `json:"client,omitempty"`
	// DNS is what carries the messages of DNS: OverUDP, OverTCP, OverTLS, OverHTTPS or
	// OverQUIC; empty fetches objects by HTTP.
	DNS string `json:"dns,omitempty"`
	// Datagram says that a request and its answer are a datagram each: there is no
	// connection, and what is lost the client itself must send again.
	Datagram bool `json:"datagram,omitempty"`
	// Get asks by GET rather than POST (RFC 8484, 4.1).
	Get bool `json:"get,omitempty"`
	// Persistent keeps a connection for further exchanges (RFC 9112, 9.3).
	Persistent bool `json:"persistent"`
	// Connections is how many an origin may have open at once; at least 1.
	Connections int `json:"connections"`
	// InFlight is how many requests may be outstanding on a connection:
	// 1 is one at a time, Unlimited pipelines all that are ready (RFC 9112, 9.3.2).
	InFlight int `json:"in_flight"`
	// Multiplexed says that responses may come in any order and at the same time
	// (RFC 9113, 5; RFC 9114, 4.1); otherwise they come in the order of the requests.
	Multiplexed bool `json:"multiplexed,omitempty"`
	// Resume continues the TLS session of an earlier connection of the same load
	// where there is a ticket (RFC 8446, 2.2); otherwise each handshake is full.
	Resume bool `json:"resume,omitempty"`
	// EarlyData sends requests that may be repeated with the first flight of the
	// handshake (RFC 8446, 2.3; RFC 9001, 4.6). The ticket for it was fetched by an
	// earlier visit, so that the first connection of the load has it too.
	EarlyData bool `json:"early_data,omitempty"`
	// FastOpen sends the first bytes with the SYN (RFC 7413). The cookie for it was
	// fetched by an earlier visit.
	FastOpen bool `json:"fast_open,omitempty"`
	// IdleTimeout is after how long without a request the client closes a kept
	// connection; 0 is never.
	IdleTimeout time.Duration `json:"idle_timeout_us,omitempty"`
	// MaxRequests is after how many requests the client gives a connection up.
	MaxRequests int `json:"max_requests,omitempty"`
}

// forms is the one list of strategies: what a name stands for before ":N" and
// "+modifiers". Help, completion and errors print it; docs/design.md has a table of them.
var forms = []struct {
	strategy Strategy
	about    string
}{
	{Strategy{Name: "close", Version: "1.1", Connections: 1, InFlight: 1},
		"a new connection for each object, one at a time"},
	{Strategy{Name: "keep", Version: "1.1", Persistent: true, Connections: 1, InFlight: 1},
		"one kept connection, one request at a time"},
	{Strategy{Name: "pipeline", Version: "1.1", Persistent: true, Connections: 1, InFlight: Unlimited},
		"one kept connection, requests sent without waiting"},
	{Strategy{Name: "h2", Version: "2", Persistent: true, Connections: 1, InFlight: Unlimited, Multiplexed: true},
		"one HTTP/2 connection, multiplexed"},
	{Strategy{Name: "h3", Version: "3", Persistent: true, Connections: 1, InFlight: Unlimited, Multiplexed: true},
		"one HTTP/3 connection on QUIC, multiplexed"},
	{Strategy{Name: "udp", DNS: OverUDP, Datagram: true, Connections: atOnce, InFlight: 1},
		"DNS: a datagram each way, no connection"},
	{Strategy{Name: "tcp", DNS: OverTCP, Connections: atOnce, InFlight: 1},
		"DNS: a TCP connection a query"},
	{Strategy{Name: "dot", DNS: OverTLS, Connections: atOnce, InFlight: 1},
		"DNS over TLS: a connection a query"},
	{Strategy{Name: "doh", DNS: OverHTTPS, Version: "2", Connections: atOnce, InFlight: 1, Multiplexed: true},
		"DNS over HTTPS by HTTP/2: a connection a query"},
	{Strategy{Name: "doh3", DNS: OverHTTPS, Version: "3", Connections: atOnce, InFlight: 1, Multiplexed: true},
		"DNS over HTTPS by HTTP/3: a connection a query"},
	{Strategy{Name: "doq", DNS: OverQUIC, Connections: atOnce, InFlight: 1, Multiplexed: true},
		"DNS over QUIC: a connection a query"},
}

// modifiers is the one list of what may follow a "+". apply changes the strategy,
// or says why it cannot.
var modifiers = []struct {
	name, about string
	apply       func(*Strategy) error
}{
	{"keep", "DNS: one kept connection; tcp and dot ask one at a time, the others all at once", func(s *Strategy) error {
		if err := s.keep("keep"); err != nil {
			return err
		}
		if s.Multiplexed {
			s.InFlight = Unlimited
		}
		return nil
	}},
	{"pipeline", "DNS: one kept connection, queries sent without waiting, answers in any order (tcp, dot)", func(s *Strategy) error {
		if err := s.keep("pipeline"); err != nil {
			return err
		}
		if s.Multiplexed {
			return fmt.Errorf("%s sends all at once as it is; use %s+keep", s.Name, s.Name)
		}
		// RFC 7766, 6.2.1.1: "clients SHOULD pipeline their queries"; 7: answers come
		// in any order, so that none waits for another.
		s.InFlight, s.Multiplexed = Unlimited, true
		return nil
	}},
	{"get", "DNS over HTTPS by GET instead of POST", func(s *Strategy) error {
		if s.DNS != OverHTTPS {
			return errors.New("only DNS over HTTPS has a method; use doh+get")
		}
		s.Get = true
		return nil
	}},
	{"1.0", "HTTP/1.0 on the wire", func(s *Strategy) error {
		switch {
		case s.DNS != "":
			return errors.New("DNS does not travel by HTTP/1.0; leave +1.0 out")
		case s.Version == "2" || s.Version == "3":
			return fmt.Errorf("HTTP/%s is another protocol than HTTP/1.0; use keep+1.0", s.Version)
		case s.InFlight != 1:
			// RFC 9112, 9.3.2 lets a client pipeline only where it knows that the
			// connection persists, which HTTP/1.0 does not promise.
			return errors.New("HTTP/1.0 has no pipelining (RFC 9112, 9.3.2); use keep+1.0, or leave +1.0 out")
		}
		s.Version = "1.0"
		return nil
	}},
	{"resume", "TLS session resumption on every connection after the first", func(s *Strategy) error {
		if s.DNS == OverUDP || s.DNS == OverTCP {
			return errors.New("there is no TLS session in it to resume; use dot+resume, or leave +resume out")
		}
		s.Resume = true
		return nil
	}},
	{"0rtt", "TLS early data, with a ticket from an earlier visit (h3, doh3, doq)", func(s *Strategy) error {
		switch {
		case s.QUIC():
		case s.DNS == OverUDP || s.DNS == OverTCP:
			return errors.New("there is no TLS in it to send early data with; use doq+0rtt")
		case s.DNS != "":
			return errors.New("there is no early data over TCP in Go's TLS; use doq+0rtt, or +resume")
		default:
			return errors.New("there is no early data over TCP in Go's TLS; use h3+0rtt, or +resume")
		}
		s.Resume, s.EarlyData = true, true
		// A POST is not safe, and what is not safe must not go early (RFC 8470, 4).
		s.Get = s.DNS == OverHTTPS
		return nil
	}},
	{"tfo", "TCP Fast Open, with a cookie from an earlier visit", func(s *Strategy) error {
		switch {
		case s.Datagram:
			return errors.New("UDP has nothing to open; use tcp+tfo")
		case s.DNS != "" && s.QUIC():
			return errors.New("QUIC has no TCP to open; use doq+0rtt, or dot+tfo")
		case s.QUIC():
			return errors.New("QUIC has no TCP to open; use h3+0rtt, or h2+tfo")
		}
		s.FastOpen = true
		return nil
	}},
}

// Modifiers lists what may follow a strategy's name after "+".
func Modifiers() []Form {
	out := make([]Form, len(modifiers))
	for i, m := range modifiers {
		out[i] = Form{m.name, m.about}
	}
	return out
}

// A Form is the name of a kind of strategy, with what it does in a few words.
type Form struct{ Name, About string }

// Forms lists the strategies that ParseStrategy knows, without ":N" and modifiers.
func Forms() []Form {
	out := make([]Form, len(forms))
	for i, f := range forms {
		out[i] = Form{f.strategy.Name, f.about}
	}
	return out
}

// DefaultStrategies returns what a comparison runs when none is named, the
// non-persistent ones first. Cleartext has no HTTP/3; what browsers did when they
// kept two connections takes its place.
func DefaultStrategies(scheme string) string {
	switch scheme {
	case SchemeHTTPS:
		return "close,close:6,keep,keep:6,pipeline,h2,h3"
	case SchemeDNS:
		return "udp,tcp,tcp+keep,tcp+pipeline,dot,dot+keep,doh,doh+keep,doh3,doh3+keep,doq,doq+keep"
	}
	return "close,close:6,keep,keep:2,keep:6,pipeline,h2"
}

// Fits reports why the strategy cannot fetch over a scheme, if it cannot.
func (s Strategy) Fits(scheme string) error {
	switch {
	case s.DNS != "" && scheme != SchemeDNS:
		return fmt.Errorf("strategy %q looks names up and fetches nothing; use close, keep or h2, or the workload dns", s.Name)
	case s.DNS == "" && scheme == SchemeDNS:
		return fmt.Errorf("strategy %q fetches objects and looks no names up; use udp, tcp, dot, doh or doq", s.Name)
	case scheme == SchemeHTTPS || scheme == SchemeDNS:
		return nil
	case s.Version == "3":
		return fmt.Errorf("strategy %q: QUIC is always encrypted (RFC 9001); use --scheme https, or h2", s.Name)
	case s.Resume:
		return fmt.Errorf("strategy %q: there is no TLS session to resume; use --scheme https, or leave +resume out", s.Name)
	}
	return nil
}

// QUIC reports whether the strategy's connections are QUIC's.
func (s Strategy) QUIC() bool { return s.Version == "3" || s.DNS == OverQUIC }

// Parallel is how many requests the strategy may have under way at once, to an origin;
// Unlimited is as many as there are. Strategies of DNS that open a connection for each query
// are bounded by their sockets alone, unless their name has a number.
func (s Strategy) Parallel() int {
	if s.InFlight == Unlimited || s.DNS != "" && s.Connections == atOnce {
		return Unlimited
	}
	return s.Connections * s.InFlight
}

// keep turns a connection for each query into one for all.
func (s *Strategy) keep(modifier string) error {
	switch {
	case s.DNS == "":
		return fmt.Errorf("+%s is for the strategies of DNS; %s is one of its own", modifier, modifier)
	case s.Datagram:
		return fmt.Errorf("UDP has no connection to keep; use tcp+%s", modifier)
	case s.Persistent:
		return errors.New("+keep and +pipeline are two ways of keeping; give one of them")
	}
	s.Persistent, s.Connections = true, 1
	return nil
}

// maxConnections bounds ":N": more sockets to one origin than any browser or
// benchmark opens, and still within a host's default limit of open files.
const maxConnections = 256

// ParseStrategy reads NAME[:N][+MODIFIER]..., N being the connections that an
// origin may have open at once. The error names the nearest known name.
func ParseStrategy(s string) (Strategy, error) {
	head, rest, _ := strings.Cut(s, "+")
	name, count, counted := strings.Cut(head, ":")
	var out Strategy
	for _, f := range forms {
		if f.strategy.Name == name {
			out = f.strategy
		}
	}
	if out.Name == "" {
		return Strategy{}, unknown("strategy", name, names(Forms()), "each may take :N connections and "+strings.Join(names(Modifiers()), ", ")+" behind a +")
	}
	n := 0
	if counted {
		var err error
		n, err = strconv.Atoi(count)
		if err != nil || n < 1 || n > maxConnections {
			return Strategy{}, fmt.Errorf("strategy %q: %q is not a number of connections; write 1 to %d, as in %s:6", s, count, maxConnections, name)
		}
	}
	if rest == "" && strings.HasSuffix(s, "+") {
		return Strategy{}, fmt.Errorf("strategy %q: nothing follows the +; known: %s", s, strings.Join(names(Modifiers()), ", "))
	}
	var given, behind []string
	if rest != "" {
		given = strings.Split(rest, "+")
	}
	for _, m := range given {
		if modifier, number, ok := strings.Cut(m, ":"); ok && !counted {
			return Strategy{}, fmt.Errorf("strategy %q: the number stands behind the name; write %s:%s+%s", s, name, number, modifier)
		}
		if !slices.Contains(names(Modifiers()), m) {
			return Strategy{}, unknown("modifier", m, names(Modifiers()), "as in "+name+"+resume")
		}
	}
	// In the order of the list, whatever the order on the command line: one name
	// for one strategy.
	for _, m := range modifiers {
		if !slices.Contains(given, m.name) {
			continue
		}
		if err := m.apply(&out); err != nil {
			return Strategy{}, fmt.Errorf("strategy %q: %w", s, err)
		}
		behind = append(behind, m.name)
	}
	// As many connections as the form has without a number need none in its name.
	if counted && n != out.Connections {
		out.Connections = n
		out.Name = fmt.Sprintf("%s:%d", name, n)
	}
	out.Name = strings.Join(append([]string{out.Name}, behind...), "+")
	return out, nil
}

// ParseStrategies reads a comma-separated list; a strategy named twice is an error.
func ParseStrategies(list string) ([]Strategy, error) {
	var out []Strategy
	seen := map[string]bool{}
	for item := range strings.SplitSeq(list, ",") {
		s, err := ParseStrategy(strings.TrimSpace(item))
		if err != nil {
			return nil, err
		}
		if seen[s.Name] {
			return nil, fmt.Errorf("strategy %q stands twice in the list; name it once", s.Name)
		}
		seen[s.Name] = true
		out = append(out, s)
	}
	return out, nil
}

func names(forms []Form) []string {
	out := make([]string, len(forms))
	for i, f := range forms {
		out[i] = f.Name
	}
	return out
}
