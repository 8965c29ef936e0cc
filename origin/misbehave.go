package origin

import (
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"linger/policy"
)

// A Misbehaviour is one thing that a server should not do with connections, or that
// is allowed and hurts: for authors of clients. See Misbehaviours.
type Misbehaviour struct {
	Name string
	// Value is what may stand behind the name and a colon: of Count and Bytes a whole
	// number, of Wait a duration. Without one it is Default.
	Value   ValueKind
	Default string
	// Versions of HTTP that it is of: "1", "2", "3"; in cleartext and over TLS.
	Versions []string
	// Does says what the server does, in place of %s the value; Client what a good client
	// does about it.
	Does, Client string

	value string
	apply func(p *policy.ServerPolicy, n int64, d time.Duration)
}

// A ValueKind is what kind of value a misbehaviour has.
type ValueKind string

const (
	NoValue ValueKind = ""
	Count   ValueKind = "N"
	Wait    ValueKind = "D"
)

const (
	// maxMisCount and maxMisWait bound the values.
	maxMisCount = 1 << 20
	maxMisWait  = time.Hour
	// misContent is how long the content of /misbehave/NAME is: enough to be cut.
	misContent = 8 << 10
)

var allVersions = []string{"1", "2", "3"}

// Misbehaviours are all of them.
func Misbehaviours() []Misbehaviour {
	return []Misbehaviour{
		{"few-requests", Count, "2", allVersions[:2],
			"closes after %s requests on a connection, and says so on the last",
			"takes the announced close as one: the next request goes on another connection, and nothing is lost", "",
			func(p *policy.ServerPolicy, n int64, _ time.Duration) { p.MaxRequests = int(n) }},
		{"short-idle", Wait, "200ms", allVersions[:2],
			"closes a connection that has been idle for %s, by FIN, without a word before",
			"notices the FIN before it sends, and sends again on a new connection what is idempotent and came too late (RFC 9112, 9.3.1)", "",
			func(p *policy.ServerPolicy, _ int64, d time.Duration) { p.IdleTimeout = d }},
		{"cut-after-bytes", Count, "4096", allVersions[:1],
			"ends the connection by FIN when %s bytes of content have been sent on it, within a message",
			"takes the response for incomplete, never for whole (RFC 9112, 8)", "",
			func(p *policy.ServerPolicy, n int64, _ time.Duration) { p.Breach.CutAfter = n }},
		{"reset", NoValue, "", allVersions[:1],
			"closes by RST where it should by FIN: after a response that ends the connection, and after a second of idleness",
			"keeps what it has read, and treats the reset of an idle connection as its close", "",
			func(p *policy.ServerPolicy, _ int64, _ time.Duration) {
				p.Style, p.IdleTimeout = policy.CloseRST, time.Second
			}},
		{"false-keep-alive", NoValue, "", allVersions[:1],
			"announces Connection: keep-alive and Keep-Alive: timeout=60, max=100, then closes after the response",
			"takes the announcement for a hint: the connection may be gone all the same", "",
			func(p *policy.ServerPolicy, _ int64, _ time.Duration) {
				p.MaxRequests, p.Breach.Silent, p.Breach.Claim = 1, true, "timeout=60, max=100"
			}},
		{"ignore-close", NoValue, "", allVersions[:1],
			"keeps the connection open though the request said Connection: close, and says nothing of it",
			"closes by itself once it has the response; whoever waits for the server's close waits for ever", "",
			func(p *policy.ServerPolicy, _ int64, _ time.Duration) { p.Breach.Deaf = true }},
		{"unannounced-close", NoValue, "", allVersions[:1],
			"closes after each response without Connection: close",
			"sends the next request again on a new connection if it is idempotent, and does not pipeline to such a server", "",
			func(p *policy.ServerPolicy, _ int64, _ time.Duration) { p.MaxRequests, p.Breach.Silent = 1, true }},
		{"out-of-order", NoValue, "", allVersions[:1],
			"answers the second of two pipelined requests first",
			"cannot notice, and gives each response to the wrong request: does not pipeline", "",
			func(p *policy.ServerPolicy, _ int64, _ time.Duration) { p.Breach.Swap = true }},
		{"wrong-unit", Wait, "5s", allVersions[:1],
			"closes after %s of idleness, and announces it in milliseconds where Keep-Alive: timeout has seconds",
			"bounds what it believes, and watches for the FIN", "",
			func(p *policy.ServerPolicy, _ int64, d time.Duration) {
				p.IdleTimeout, p.Breach.Claim = d, "timeout="+strconv.FormatInt(max(1, d.Milliseconds()), 10)
			}},
		{"lying-goaway", Count, "4", allVersions[1:2],
			"answers %s streams and then names the first of them as the last in GOAWAY",
			"has the responses already and keeps them; it sends again what GOAWAY says was not looked at, which was (RFC 9113, 6.8)", "",
			func(p *policy.ServerPolicy, n int64, _ time.Duration) {
				p.MaxRequests, p.Breach.Disown = int(n), true
			}},
		{"half-close", NoValue, "", allVersions[:1],
			"closes its sending side after each response, says nothing, and reads on for ever",
			"takes the FIN for the end: whatever it sends behind that is never answered", "",
			func(p *policy.ServerPolicy, _ int64, _ time.Duration) {
				p.MaxRequests, p.Breach.Silent, p.Style = 1, true, policy.CloseHalf
			}},
		{"black-hole", Wait, "1s", allVersions[:1],
			"says nothing more once a connection has been idle for %s: no FIN, no RST, no answer",
			"bounds its wait for the answer, and then tries a new connection", "",
			func(p *policy.ServerPolicy, _ int64, d time.Duration) {
				p.IdleTimeout, p.Style = d, policy.CloseSilent
			}},
		{"race", Wait, "1s", allVersions[:1],
			"keeps an idle connection beyond %s, and closes it at the next request, which it does not answer",
			"sends the request again on a new connection if it is idempotent, since it cannot know whether it was processed (RFC 9112, 9.5)", "",
			func(p *policy.ServerPolicy, _ int64, d time.Duration) {
				p.IdleTimeout, p.Breach.AtRequest = d, true
			}},
	}
}

// ParseMisbehaviour reads NAME or NAME:VALUE.
func ParseMisbehaviour(s string) (*Misbehaviour, error) {
	name, value, given := strings.Cut(s, ":")
	all := Misbehaviours()
	i := slices.IndexFunc(all, func(m Misbehaviour) bool { return m.Name == name })
	if i < 0 {
		var names []string
		for _, m := range all {
			names = append(names, m.Name)
		}
		return nil, fmt.Errorf("no misbehaviour is called %q; there are %s", name, strings.Join(names, ", "))
	}
	m := all[i]
	m.value = m.Default
	if given {
		m.value = value
	}
	switch m.Value {
	case NoValue:
		if given {
			return nil, fmt.Errorf("%s has no value; write %s alone", name, name)
		}
	case Count:
		if n, err := strconv.Atoi(m.value); err != nil || n < 1 || n > maxMisCount {
			return nil, fmt.Errorf("%s:%s: the value is a number, 1 to %d", name, value, maxMisCount)
		}
	case Wait:
		if d, err := time.ParseDuration(m.value); err != nil || d <= 0 || d > maxMisWait {
			return nil, fmt.Errorf("%s:%s: the value is a time, as 1.5s, up to %v", name, value, maxMisWait)
		}
	}
	return &m, nil
}

// String is the name, with its value.
func (m *Misbehaviour) String() string {
	if m.Value == NoValue {
		return m.Name
	}
	return m.Name + ":" + m.value
}

// Says is what the server does, with the value.
func (m *Misbehaviour) Says() string {
	if m.Value == NoValue {
		return m.Does
	}
	value := m.value
	if value == "" {
		value = m.Default
	}
	return fmt.Sprintf(m.Does, value)
}

func (m *Misbehaviour) isOf(version string) bool { return slices.Contains(m.Versions, version) }

// policy is p with what the misbehaviour makes of it.
func (m *Misbehaviour) policy(p policy.ServerPolicy) policy.ServerPolicy {
	n, _ := strconv.ParseInt(m.value, 10, 64)
	d, _ := time.ParseDuration(m.value)
	m.apply(&p, n, d)
	return p
}

// misbehaving is the answer of /misbehave/ARGUMENT.
func misbehaving(argument string) answer {
	name, _, _ := strings.Cut(argument, "/")
	if name == "" {
		return text(200, listMisbehaviours())
	}
	m, err := ParseMisbehaviour(name)
	if err != nil {
		return text(404, err.Error()+"\n")
	}
	about := m.String() + ": this server " + m.Says() + ".\nA good client " + m.Client + ".\n\n"
	fill, _ := io.ReadAll(filler(misContent - int64(len(about))))
	a := text(200, about+string(fill))
	a.misbehaviour = m
	return a
}

// misbehave has the connection, which is of that version of HTTP, do what the path of a
// asks for, and changes a where it cannot.
func (c *session) misbehave(a *answer, version string) {
	m := a.misbehaviour
	switch {
	case m == nil:
	case m.isOf(version):
		c.adopt(m.policy(c.server.config.Policy))
	default:
		no := text(501, m.Name+" is of HTTP/"+strings.Join(m.Versions, " and HTTP/")+" only; ask over that\n")
		no.method, no.target = a.method, a.target
		if a.method == "HEAD" {
			no.body = nil
		}
		*a = no
	}
}

func listMisbehaviours() string {
	var b strings.Builder
	fmt.Fprintln(&b, "What a server should not do with connections, each at /misbehave/NAME.")
	for _, m := range Misbehaviours() {
		name := m.Name
		if m.Value != NoValue {
			name += "[:" + string(m.Value) + "]"
		}
		fmt.Fprintf(&b, "\n%s\n  HTTP/%s: %s.\n  A good client %s.\n", name, strings.Join(m.Versions, ", "), m.Says(), m.Client)
	}
	return b.String()
}
