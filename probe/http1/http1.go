// Package http1 asks a server of HTTP/1 what it does with connections: how long it keeps
// them, how many requests they carry, how it ends them, and what it does with requests that
// are out of the ordinary.
//
// It speaks the protocol itself, byte by byte, since a client that repairs what servers do
// wrong would hide it. A [Server] is what is known of the server so far; [Server.Reach] comes
// first, the [Server.Experiments] follow at once or one by one, and [Server.Finish] and
// [Server.JudgeTogether] conclude.
package http1

import (
	"context"
	"strconv"
	"strings"
	"sync"
	"time"

	"linger"
	"linger/conformance"
	"linger/probe/limits"
	"linger/probe/prober"
	"linger/profile"
)

// Idle begins the name of the experiment that measures for how long a connection may be
// idle behind a response, of this protocol and of DNS.
const Idle = "idle after a response"

// An Server is a server of HTTP/1.1, as far as it is known.
type Server struct {
	*prober.Prober
	usual    usual          // the response to the ordinary request, or to the small one
	facts    facts          // behind the prober's lock; see note
	checking bool           // of one connection it is being seen whether it is closed whole
	behind   sync.WaitGroup // what goes on behind the experiments
}

// New is the server that p probes.
func New(p *prober.Prober) *Server { return &Server{Prober: p} }

// limitFigures are figures that several experiments measure together: a connection that
// ends for its age, or behind one response, has not been idle for too long.
var limitFigures = []string{"idle", "ending", "announced", "age", "requests"}

// Experiments are those of HTTP/1.1.
func (p *Server) Experiments() []prober.Experiment {
	return []prober.Experiment{
		{
			Name: Idle, Connections: idleConnections, Requests: idleConnections, Waits: true, Leads: true,
			Cases:   []string{"timeout-honoured", "idle-orderly", "idle-long-enough", "idle-wordless"},
			Figures: append([]string{linger.HTTP11.Short()}, limitFigures...),
			Run:     p.idleAfterResponse,
		},
		{
			Name: "idle, then asked again", Connections: rungs, Requests: 2*rungs + 2*rounds*narrowing, Waits: true,
			Cases:   []string{"idle-answered", "idle-no-race"},
			Figures: limitFigures,
			Run:     p.askedAgain,
		},
		{
			Name: "idle after connecting", Connections: unusedConnections, Waits: true,
			Figures: []string{"idle_connect"},
			Run:     p.idleAfterConnect,
		},
		{
			Name: "idle after TLS", Connections: unusedConnections, Waits: true,
			Figures: []string{"idle_tls"},
			Run:     p.idleAfterTLS,
		},
		{
			Name: "age of a busy connection", Connections: 2, Requests: agedOften + agedRarely, Waits: true,
			Figures: limitFigures,
			Run:     p.age,
		},
		{
			Name: "requests on a connection", Connections: 1, Requests: mostCounted + 1,
			Cases:   []string{"close-announced", "close-kept", "keep-alive-honoured", "keep-alive-listed", "requests-enough", "message-complete", "idle-closed-whole"},
			Figures: limitFigures,
			Run:     p.count,
		},
		{
			Name: "Connection: close", Connections: 1, Requests: 2,
			Cases: []string{"close-honoured", "close-repeated", "idle-orderly"},
			Run:   p.askedToClose,
		},
		{
			Name: "behind Connection: close", Connections: 1, Requests: 2,
			Cases: []string{"close-last", "close-staged"},
			Run:   p.behindClose,
		},
		{
			Name: "HTTP/1.0", Connections: 1, Requests: 4,
			Cases: []string{"http10-closes", "http10-keep-alive", "http10-no-chunks"},
			Run:   p.oldHTTP,
		},
		{
			Name: "pipelining", Connections: 1, Requests: 3 + pipelined,
			Cases:   []string{"pipeline-order"},
			Figures: []string{"pipelining"},
			Run:     p.pipeline,
		},
		{
			Name: "what a connection survives", Connections: 1, Requests: 2 * survivals,
			Cases: []string{"head-empty", "no-content-empty", "not-modified-empty", "nothing-behind", "length-absent", "length-single", "head-grammar", "close-announced", "close-kept"},
			Run:   p.survive,
		},
		{
			Name: "content of requests", Connections: 1, Requests: 7,
			Cases: []string{"body-read", "expect-answered", "interim-whole", "close-announced"},
			Run:   p.contents,
		},
		{
			Name: "framing", Connections: 1, Requests: 13,
			Cases: []string{"framing-both", "framing-lengths", "framing-length", "framing-chunks", "host-missing", "field-space"},
			Run:   p.framing,
		},
	}
}

// Finish waits for what goes on behind the experiments, and asks once more what they may
// have disturbed themselves.
func (p *Server) Finish(ctx context.Context) {
	p.behind.Wait()
	p.recount(ctx)
}

// facts are what the experiments saw that only together decide a case.
type facts struct {
	conformance.HTTP1
	lives   []limits.Life // of connections that were kept busy
	counted limits.Life   // of the one that was asked most, without a pause
	// slow is how long after the request the end of that one came, which may have been
	// idle for the server since.
	slow time.Duration
}

// note changes what the experiments have seen.
func (p *Server) note(change func(*facts)) {
	p.Record(func(*profile.Profile) { change(&p.facts) })
}

// heard notes what a response says of its connection.
func (p *Server) heard(c *Conn, a answer) {
	c.heard++
	connection, keepAlive := strings.Join(a.header.Values("Connection"), ", "), a.header.Get("Keep-Alive")
	if connection == "" && keepAlive == "" {
		return
	}
	timeout, most := readKeepAlive(keepAlive)
	p.RecordOf(linger.HTTP11, func(h *profile.Protocol) {
		if said := &h.Announced; !a.close && said.Connection == "" && said.KeepAlive == "" {
			said.Connection, said.KeepAlive = linger.Brief(connection), linger.Brief(keepAlive)
			if d, ok := timeout.Get(); ok {
				said.Timeout = linger.Known(profile.Duration(d))
			}
		}
		if n, ok := most.Get(); ok {
			said := &h.Announced
			if c.heard == 1 && said.Max.IsZero() {
				said.Max = most
			}
			said.MaxFalls = said.MaxFalls || c.heard > 1 && n < c.max.Or(n)
		}
		c.max = most
		f := &p.facts
		f.Said = f.Said || lists(connection, "keep-alive")
		if keepAlive != "" {
			f.KeepAlive, f.Timeout = true, timeout
			if !lists(connection, "keep-alive") && f.Unlisted == "" {
				f.Unlisted = linger.Brief(keepAlive)
			}
		}
	})
}

// readKeepAlive reads the parameters of a Keep-Alive field (RFC 2068, 19.7.1.1), which
// no standard defines any more: "timeout=5, max=100", in seconds and in requests.
func readKeepAlive(s string) (timeout linger.Opt[time.Duration], most linger.Opt[int]) {
	for part := range strings.SplitSeq(s, ",") {
		name, value, _ := strings.Cut(part, "=")
		n, err := strconv.Atoi(strings.Trim(strings.TrimSpace(value), `"`))
		if err != nil || n < 0 {
			continue
		}
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "timeout":
			if n <= int(limits.Forever/time.Second) {
				timeout = linger.Known(time.Duration(n) * time.Second)
			}
		case "max":
			most = linger.Known(n)
		}
	}
	return timeout, most
}

// lists reports whether a list field has an element, whatever its case.
func lists(field, element string) bool {
	for part := range strings.SplitSeq(field, ",") {
		if strings.EqualFold(strings.TrimSpace(part), element) {
			return true
		}
	}
	return false
}
