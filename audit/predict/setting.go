package predict

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"linger"
)

// A Setting is what of the connections would be another than it was: the question of a what-if.
// What is zero stays as it was observed.
type Setting struct {
	// Idle is for how long the pool of each client keeps an idle connection, in seconds, instead
	// of closing it when it did: early, or at once.
	Idle float64 `json:"idle_s,omitempty"`
	// Connections is how many each client has open to an origin at most, in one pool that keeps
	// them all.
	Connections int `json:"connections,omitempty"`
	// Order is which idle connection takes a request: MRU or LRU.
	Order string `json:"order,omitempty"`
	// MaxRequests is after how many requests the server ends a connection, ServerIdle after how
	// long idling, in seconds.
	MaxRequests int     `json:"max_requests,omitempty"`
	ServerIdle  float64 `json:"server_idle_s,omitempty"`
	// H2 has each client send all requests to an origin on one connection of HTTP/2.
	H2 bool `json:"h2,omitempty"`
	// Resume has each TLS handshake resumed but a client's first with a server.
	Resume bool `json:"resume,omitempty"`
}

// Orders of idle connections: the most or the least recently used one takes a request.
const (
	MRU = "mru"
	LRU = "lru"
)

// IsZero reports whether nothing is another.
func (s Setting) IsZero() bool { return s == Setting{} }

// A word is one that a setting may have.
type word struct {
	name, value string // value is an example; empty is none
	set         func(*Setting, string) bool
	show        func(Setting) string // empty where it is not set
}

var words = []word{
	{"idle", "75s", func(s *Setting, v string) bool { return seconds(&s.Idle, v) }, func(s Setting) string { return lasting(s.Idle) }},
	{"connections", "6", func(s *Setting, v string) bool { return count(&s.Connections, v) }, func(s Setting) string { return counted(s.Connections) }},
	{"order", MRU, func(s *Setting, v string) bool {
		s.Order = v
		return v == MRU || v == LRU
	}, func(s Setting) string { return s.Order }},
	{"max-requests", "1000", func(s *Setting, v string) bool { return count(&s.MaxRequests, v) }, func(s Setting) string { return counted(s.MaxRequests) }},
	{"server-idle", "75s", func(s *Setting, v string) bool { return seconds(&s.ServerIdle, v) }, func(s Setting) string { return lasting(s.ServerIdle) }},
	{string(linger.H2), "", func(s *Setting, v string) bool { s.H2 = true; return v == "" }, func(s Setting) string { return flagged(s.H2) }},
	{"resume", "", func(s *Setting, v string) bool { s.Resume = true; return v == "" }, func(s Setting) string { return flagged(s.Resume) }},
}

func seconds(to *float64, v string) bool {
	d, err := time.ParseDuration(v)
	d = d.Round(time.Millisecond)
	*to = d.Seconds()
	return err == nil && d > 0 && d <= longest
}

func count(to *int, v string) bool {
	n, err := strconv.Atoi(v)
	*to = n
	return err == nil && n > 0 && n <= mostCount
}

// What a setting may be at most: a year, and what no pool has.
const (
	longest   = 365 * 24 * time.Hour
	mostCount = 1_000_000
)

func lasting(s float64) string {
	if s == 0 {
		return ""
	}
	d := duration(s).Round(time.Millisecond)
	if d%time.Second == 0 && d < 10*time.Minute {
		return strconv.Itoa(int(d/time.Second)) + "s" // as servers have it
	}
	text := d.String()
	if strings.HasSuffix(text, "m0s") {
		text = strings.TrimSuffix(text, "0s")
	}
	if strings.HasSuffix(text, "h0m") {
		text = strings.TrimSuffix(text, "0m")
	}
	return text
}

func counted(n int) string {
	if n == 0 {
		return ""
	}
	return strconv.Itoa(n)
}

func flagged(on bool) string {
	if on {
		return "on"
	}
	return ""
}

// ParseSetting reads a list as idle=75s,connections=6. Each word may stand once.
func ParseSetting(text string) (Setting, error) {
	var s Setting
	seen := map[string]bool{}
	for part := range strings.SplitSeq(text, ",") {
		name, value, valued := strings.Cut(strings.TrimSpace(part), "=")
		w, ok := wordOf(name)
		switch {
		case !ok:
			return s, unknown(name)
		case seen[name]:
			return s, fmt.Errorf("%s stands twice; each setting is a --what-if of its own", name)
		case w.value == "" && valued:
			return s, fmt.Errorf("%s has no value; write %s", name, name)
		case !w.set(&s, value):
			return s, fmt.Errorf("%s cannot be %.40q; write %s", name, value, w.example())
		}
		seen[name] = true
	}
	if s.H2 && (s.Connections > 0 || s.Order != "") {
		return s, fmt.Errorf("h2 is one connection for each client, so that connections and order say nothing; write two --what-if")
	}
	return s, nil
}

// unknown says which setting may have been meant, and which there are.
func unknown(name string) error {
	var names []string
	for _, w := range words {
		names = append(names, w.name)
	}
	if near := linger.Nearest(strings.TrimSpace(name), names); len(near) > 0 {
		return fmt.Errorf("%.40q is not known; did you mean %s? known are %s", name, near[0], strings.Join(Words(), ", "))
	}
	return fmt.Errorf("%.40q is not known; known are %s", name, strings.Join(Words(), ", "))
}

func wordOf(name string) (word, bool) {
	for _, w := range words {
		if w.name == name {
			return w, true
		}
	}
	return word{}, false
}

func (w word) example() string {
	if w.value == "" {
		return w.name
	}
	if w.name == "order" {
		return "order=mru or order=lru"
	}
	return w.name + "=" + w.value
}

// Words are what a setting may have, with an example of each value.
func Words() []string {
	var out []string
	for _, w := range words {
		if w.name == "order" {
			out = append(out, "order=mru", "order=lru")
			continue
		}
		out = append(out, w.example())
	}
	return out
}

// String is the setting as ParseSetting reads it; empty where nothing is another.
func (s Setting) String() string {
	var out []string
	for _, w := range words {
		switch v := w.show(s); {
		case v == "":
		case w.value == "":
			out = append(out, w.name)
		default:
			out = append(out, w.name+"="+v)
		}
	}
	return strings.Join(out, ",")
}

// The axes of Grid. 0 is as observed.
var (
	GridIdle        = []float64{0, 5, 15, 30, 60, 120, 300}
	GridConnections = []int{0, 1, 2, 4, 6, 16}
	GridOrder       = []string{MRU, LRU}
)

// Grid is every setting of its axes, and of each idle time with one connection of HTTP/2, in
// that order: the connections of an idle time, the orders of those, HTTP/2 last.
func Grid() []Setting {
	var out []Setting
	for _, idle := range GridIdle {
		for _, n := range GridConnections {
			for _, order := range GridOrder {
				out = append(out, Setting{Idle: idle, Connections: n, Order: order})
			}
		}
		out = append(out, Setting{Idle: idle, H2: true})
	}
	return out
}
