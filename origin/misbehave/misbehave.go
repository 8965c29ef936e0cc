// Package misbehave lists what a server should not do with connections, or what is allowed and
// hurts, by name: for authors of clients, who want to see that theirs copes with it.
//
// Each Kind is a change of a server's policy; the connection's protocol and what the client
// asks for stay as they are. Parse reads a name with its value, Kind.Policy applies it.
package misbehave

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"linger/policy"
)

// A Kind is one thing that a server should not do with connections. See Kinds.
type Kind struct {
	Name string
	// Value is what may stand behind the name and a colon. Without one it is Default.
	Value   ValueKind
	Default string
	// Versions of HTTP that it is of: "1", "2", "3"; in cleartext and over TLS.
	Versions []string
	// Does says what the server does, in place of %s the value; Client what a good client
	// does about it.
	Does, Client string

	given string // the value as it was given
	apply func(*policy.ServerPolicy, value)
}

// A ValueKind is what kind of value a misbehaviour has.
type ValueKind string

const (
	NoValue ValueKind = ""
	Count   ValueKind = "N" // a whole number
	Wait    ValueKind = "D" // a duration
	// Race is a duration, and behind it how the connection closes and by how much
	// later, or earlier, than that: each may be left out.
	Race ValueKind = "D[:fin|rst][:SHIFT]"
)

// A value is what a misbehaviour's value says.
type value struct {
	n        int64
	d, shift time.Duration
	style    policy.CloseStyle // empty is the server's own
}

const (
	// maxCount and maxWait bound the values.
	maxCount = 1 << 20
	maxWait  = time.Hour
)

var allVersions = []string{"1", "2", "3"}

// Kinds are all of them.
func Kinds() []Kind {
	return []Kind{
		{"few-requests", Count, "2", allVersions[:2],
			"closes after %s requests on a connection, and says so on the last",
			"takes the announced close as one: the next request goes on another connection, and nothing is lost", "",
			func(p *policy.ServerPolicy, v value) { p.MaxRequests = int(v.n) }},
		{"short-idle", Wait, "200ms", allVersions[:2],
			"closes a connection that has been idle for %s, by FIN, without a word before",
			"notices the FIN before it sends, and sends again on a new connection what is idempotent and came too late (RFC 9112, 9.3.1)", "",
			func(p *policy.ServerPolicy, v value) { p.IdleTimeout = v.d }},
		{"cut-after-bytes", Count, "4096", allVersions[:1],
			"ends the connection by FIN when %s bytes of content have been sent on it, within a message",
			"takes the response for incomplete, never for whole (RFC 9112, 8)", "",
			func(p *policy.ServerPolicy, v value) { p.Breach.CutAfter = v.n }},
		{"reset", NoValue, "", allVersions[:1],
			"closes by RST where it should by FIN: after a response that ends the connection, and after a second of idleness",
			"keeps what it has read, and treats the reset of an idle connection as its close", "",
			func(p *policy.ServerPolicy, _ value) {
				p.Style, p.IdleTimeout = policy.CloseRST, time.Second
			}},
		{"false-keep-alive", NoValue, "", allVersions[:1],
			"announces Connection: keep-alive and Keep-Alive: timeout=60, max=100, then closes after the response",
			"takes the announcement for a hint: the connection may be gone all the same", "",
			func(p *policy.ServerPolicy, _ value) {
				p.MaxRequests, p.Breach.Silent, p.Breach.Claim = 1, true, "timeout=60, max=100"
			}},
		{"ignore-close", NoValue, "", allVersions[:1],
			"keeps the connection open though the request said Connection: close, and says nothing of it",
			"closes by itself once it has the response; whoever waits for the server's close waits for ever", "",
			func(p *policy.ServerPolicy, _ value) { p.Breach.Deaf = true }},
		{"unannounced-close", NoValue, "", allVersions[:1],
			"closes after each response without Connection: close",
			"sends the next request again on a new connection if it is idempotent, and does not pipeline to such a server", "",
			func(p *policy.ServerPolicy, _ value) { p.MaxRequests, p.Breach.Silent = 1, true }},
		{"out-of-order", NoValue, "", allVersions[:1],
			"answers the second of two pipelined requests first",
			"cannot notice, and gives each response to the wrong request: does not pipeline", "",
			func(p *policy.ServerPolicy, _ value) { p.Breach.Swap = true }},
		{"wrong-unit", Wait, "5s", allVersions[:1],
			"closes after %s of idleness, and announces it in milliseconds where Keep-Alive: timeout has seconds",
			"bounds what it believes, and watches for the FIN", "",
			func(p *policy.ServerPolicy, v value) {
				p.IdleTimeout, p.Breach.Claim = v.d, "timeout="+strconv.FormatInt(max(1, v.d.Milliseconds()), 10)
			}},
		{"lying-goaway", Count, "4", allVersions[1:2],
			"answers %s streams and then names the first of them as the last in GOAWAY",
			"has the responses already and keeps them; it sends again what GOAWAY says was not looked at, which was (RFC 9113, 6.8)", "",
			func(p *policy.ServerPolicy, v value) {
				p.MaxRequests, p.Breach.Disown = int(v.n), true
			}},
		{"half-close", NoValue, "", allVersions[:1],
			"closes its sending side after each response, says nothing, and reads on for ever",
			"takes the FIN for the end: whatever it sends behind that is never answered", "",
			func(p *policy.ServerPolicy, _ value) {
				p.MaxRequests, p.Breach.Silent, p.Style = 1, true, policy.CloseHalf
			}},
		{"black-hole", Wait, "1s", allVersions[:1],
			"says nothing more once a connection has been idle for %s: no FIN, no RST, no answer",
			"bounds its wait for the answer, and then tries a new connection", "",
			func(p *policy.ServerPolicy, v value) {
				p.IdleTimeout, p.Breach.IdleStyle = v.d, policy.CloseSilent
			}},
		{"stray-bytes", NoValue, "", allVersions[:1],
			"sends an empty line behind each response, which belongs to no message",
			"lets the connection go, and takes the bytes for no response (RFC 9112, 6.3)", "",
			func(p *policy.ServerPolicy, _ value) { p.Breach.Behind = "\r\n" }},
		{"head-content", NoValue, "", allVersions[:1],
			"sends content with the response to HEAD",
			"lets the connection go, and takes the content for no response (RFC 9112, 6.3)", "",
			func(p *policy.ServerPolicy, _ value) {
				p.Breach.Behind, p.Breach.BehindHEAD = "content that nobody waits for\n", true
			}},
		{"idle-408", Wait, "1s", allVersions[:1],
			"answers 408 into a connection that has been idle for %s, then closes it",
			"takes a 408 on a kept connection for its end, not for an answer: sends the request again on a new one (RFC 9110, 15.5.9)", "",
			func(p *policy.ServerPolicy, v value) {
				p.IdleTimeout, p.Breach.LastWords = v.d, "HTTP/1.1 408 Request Timeout\r\nContent-Length: 0\r\nConnection: close\r\n\r\n"
			}},
		{"race", Race, "1s", allVersions[:1],
			"keeps an idle connection beyond %s, and closes it at the next request, which it does not answer",
			"sends the request again on a new connection if it is idempotent, since it cannot know whether it was processed (RFC 9112, 9.5)", "",
			func(p *policy.ServerPolicy, v value) {
				p.IdleTimeout, p.Breach.AtRequest = v.d+min(v.shift, 0), v.shift >= 0
				p.Breach.Ambush, p.Breach.IdleStyle = max(v.shift, 0), v.style
			}},
	}
}

// Parse reads NAME or NAME:VALUE.
func Parse(s string) (*Kind, error) {
	name, value, given := strings.Cut(s, ":")
	all := Kinds()
	i := slices.IndexFunc(all, func(m Kind) bool { return m.Name == name })
	if i < 0 {
		var names []string
		for _, m := range all {
			names = append(names, m.Name)
		}
		return nil, fmt.Errorf("no misbehaviour is called %q; there are %s", name, strings.Join(names, ", "))
	}
	m := all[i]
	m.given = m.Default
	if given {
		m.given = value
	}
	if m.Value == NoValue && given {
		return nil, fmt.Errorf("%s has no value; write %s alone", name, name)
	}
	if _, err := m.Value.read(m.given); err != nil {
		return nil, fmt.Errorf("%s:%s: %w", name, value, err)
	}
	return &m, nil
}

// read reads a value of that kind. The error says what it can be.
func (k ValueKind) read(text string) (v value, err error) {
	switch k {
	case Count:
		if v.n, err = strconv.ParseInt(text, 10, 64); err != nil || v.n < 1 || v.n > maxCount {
			return v, fmt.Errorf("the value is a number, 1 to %d", maxCount)
		}
	case Wait:
		if v.d, err = time.ParseDuration(text); err != nil || v.d <= 0 || v.d > maxWait {
			return v, fmt.Errorf("the value is a time, as 1.5s, up to %v", maxWait)
		}
	case Race:
		wait, rest, more := strings.Cut(text, ":")
		if v, err = Wait.read(wait); err != nil || !more {
			return v, err
		}
		style, shift, both := strings.Cut(rest, ":")
		v.style = policy.CloseStyle(style)
		if v.style != policy.CloseFIN && v.style != policy.CloseRST {
			// A shift alone.
			v.style, shift, both = "", rest, true
		}
		if !both {
			return v, nil
		}
		if v.shift, err = time.ParseDuration(shift); err != nil || v.d+v.shift <= 0 || v.shift > maxWait {
			return v, fmt.Errorf("behind the time stands fin or rst, then by how much later the close comes, as 20ms, or earlier, as -20ms; write race:1s:rst or race:1s:fin:-20ms")
		}
	}
	return v, nil
}

// String is the name, with its value.
func (m *Kind) String() string {
	if m.Value == NoValue {
		return m.Name
	}
	return m.Name + ":" + m.given
}

// Form is the name with the form of its value, as "few-requests[:N]".
func (m *Kind) Form() string {
	if m.Value == NoValue {
		return m.Name
	}
	return m.Name + "[:" + string(m.Value) + "]"
}

// Says is what the server does, with the value.
func (m *Kind) Says() string {
	if m.Value == NoValue {
		return m.Does
	}
	given := m.given
	if given == "" {
		given = m.Default
	}
	v, _ := m.Value.read(given)
	if m.Value != Race {
		return fmt.Sprintf(m.Does, given)
	}
	if v.shift < 0 {
		return fmt.Sprintf("closes a connection %v before it has been idle for %v, by itself", -v.shift, v.d)
	}
	said := fmt.Sprintf(m.Does, v.d)
	if v.shift > 0 {
		said += fmt.Sprintf("; without one it closes by itself %v later", v.shift)
	}
	return said
}

// IsOf reports whether the misbehaviour is of that version of HTTP.
func (m *Kind) IsOf(version string) bool { return slices.Contains(m.Versions, version) }

// Policy is p with what the misbehaviour makes of it.
func (m *Kind) Policy(p policy.ServerPolicy) policy.ServerPolicy {
	v, _ := m.Value.read(m.given) // which Parse has tried
	m.apply(&p, v)
	return p
}

// List says what there is, in words.
func List() string {
	var b strings.Builder
	fmt.Fprintln(&b, "What a server should not do with connections, each at /misbehave/NAME, and with what is\n"+
		"served elsewhere behind it: /misbehave/NAME/bytes/1000.")
	for _, m := range Kinds() {
		fmt.Fprintf(&b, "\n%s\n  HTTP/%s: %s.\n  A good client %s.\n", m.Form(), strings.Join(m.Versions, ", "), m.Says(), m.Client)
	}
	return b.String()
}
