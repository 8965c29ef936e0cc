package linger

import (
	"fmt"
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
	// Version is the HTTP version on the wire: "1.0" or "1.1".
	Version string `json:"version"`
	// Persistent keeps a connection for further exchanges (RFC 9112, 9.3).
	Persistent bool `json:"persistent"`
	// Connections is how many an origin may have open at once; at least 1.
	Connections int `json:"connections"`
	// InFlight is how many requests may be outstanding on a connection:
	// 1 is one at a time, Unlimited pipelines all that are ready (RFC 9112, 9.3.2).
	InFlight int `json:"in_flight"`
	// IdleTimeout is after how long without a request the client closes a kept
	// connection; 0 is never.
	IdleTimeout time.Duration `json:"idle_timeout_ns,omitempty"`
	// MaxRequests is after how many requests the client gives a connection up.
	MaxRequests int `json:"max_requests,omitempty"`
}

// forms is the one list of strategies: what a name stands for before ":N" and
// "+modifiers". Help, completion, errors and docs/strategies.md print it.
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

// DefaultStrategies are what a comparison runs when none is named, the
// non-persistent ones first.
const DefaultStrategies = "close,close:6,keep,keep:2,keep:6,pipeline,pipeline:2"

// maxConnections bounds ":N": more sockets to one origin than any browser or
// benchmark opens, and still within a host's default limit of open files.
const maxConnections = 256

// ParseStrategy reads NAME[:N][+MODIFIER]..., N being the connections that an
// origin may have open at once. The error names the nearest known name.
func ParseStrategy(s string) (Strategy, error) {
	head, modifiers, _ := strings.Cut(s, "+")
	name, count, counted := strings.Cut(head, ":")
	var out Strategy
	for _, f := range forms {
		if f.strategy.Name == name {
			out = f.strategy
		}
	}
	if out.Name == "" {
		return Strategy{}, unknown("strategy", name, formNames(), "each may take :N connections and +1.0")
	}
	if counted {
		n, err := strconv.Atoi(count)
		if err != nil || n < 1 || n > maxConnections {
			return Strategy{}, fmt.Errorf("strategy %q: %q is not a number of connections; write 1 to %d, as in %s:6", s, count, maxConnections, name)
		}
		out.Connections = n
		if n > 1 {
			out.Name = fmt.Sprintf("%s:%d", name, n)
		}
	}
	if modifiers == "" && strings.Contains(s, "+") {
		return Strategy{}, fmt.Errorf("strategy %q: nothing follows the +; the modifier is +1.0", s)
	}
	for modifiers != "" {
		var m string
		m, modifiers, _ = strings.Cut(modifiers, "+")
		if m != "1.0" {
			return Strategy{}, unknown("modifier", m, []string{"1.0"}, "as in "+name+"+1.0")
		}
		if out.InFlight != 1 {
			// RFC 9112, 9.3.2 lets a client pipeline only where it knows that the
			// connection persists, which HTTP/1.0 does not promise.
			return Strategy{}, fmt.Errorf("strategy %q: HTTP/1.0 has no pipelining (RFC 9112, 9.3.2); use keep+1.0 or %s", s, name)
		}
		if out.Version != "1.0" {
			out.Version = "1.0"
			out.Name += "+1.0"
		}
	}
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

func formNames() []string {
	var names []string
	for _, f := range forms {
		names = append(names, f.strategy.Name)
	}
	return names
}
