// Package prober is one probe under way: what the experiments of all protocols share.
//
// A [Prober] opens connections and says how each of them ended, bounds how many are open and
// how many requests are sent, pauses where the server refuses, and says for how long a wait
// may last. What experiments find they write into its profile: what was measured with
// [Prober.Record], and what decides a case of the standards with [Prober.Judge].
//
// An [Experiment] is one question to the server, as a row of values. The rooms of the
// protocols state theirs; the room above chooses among them and makes them.
package prober

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"net/url"
	"sync"
	"time"

	"linger"
	"linger/ask"
	"linger/conformance"
	"linger/dial"
	"linger/profile"
	"linger/trace"
)

// Terms are what a probe is given, and what it may take of the server.
type Terms struct {
	URL *url.URL
	// Name is the URL as the user wrote it.
	Name string
	// ALPN is the protocol that is offered over TLS where an experiment does not say
	// otherwise; "" is of a target in cleartext.
	ALPN string
	// Roots are the authorities that may vouch for the server; nil are the system's.
	// Insecure takes any certificate.
	Roots    *x509.CertPool
	Insecure bool
	// Certificates are what the client shows of itself where the server asks for that.
	Certificates []tls.Certificate
	// MaxWait is the longest wait for the end of one connection. Patient waits that long
	// for each limit.
	MaxWait time.Duration
	Patient bool
	// Connections are how many are open at once, and Requests how many are sent in all,
	// at most.
	Connections, Requests int
	// Answer is how long one answer, or one handshake, may take.
	Answer time.Duration
	// Route says where connections to the target really go.
	Route dial.Route
	// Message is what requests say besides.
	Message ask.Message
	// Whole says that no selection of cases was made, Named that experiments were chosen
	// by name, so that nothing besides is of interest.
	Whole, Named bool
}

// started is how much longer than MaxWait a wait may take: connections are opened over a
// second, so that clocks that tick are seen to. A limit of MaxWait itself is to be seen,
// and some more, where the server looks for idle connections only now and then.
const started = 3 * time.Second

// Watched is for how long a connection is watched at most that is left alone for longest.
func Watched(longest time.Duration) time.Duration { return longest + started }

// A Prober is one probe under way: what its experiments share. What is exported is known
// before they run, at once; the rest they reach by methods.
type Prober struct {
	Terms
	Target Target
	Slots  *Slots       // of connections
	Chosen []Experiment // that are made
	Small  Asking       // that has a small response, or the ordinary one
	Share

	mu         sync.Mutex
	profile    *profile.Profile
	results    map[string]profile.Result
	requests   int
	connected  int // connections open now
	refusals   refusals
	patience   patience
	began      time.Time
	handshakes []time.Duration // how long handshakes took
	opens      time.Time       // when the next connection may be opened
	late       time.Duration   // see lookLate
	sweep      time.Duration   // see sweeps
}

// A Target is where the server is.
type Target struct {
	Address string // that answers, IP:port
	Host    string // of the Host field
	Path    string // of the request, with its query
	TLS     *tls.Config
}

// New begins a probe. Nothing is sent yet.
func New(terms Terms) *Prober {
	p := &Prober{
		Terms:   terms,
		Target:  Target{Host: terms.URL.Host, Path: terms.URL.RequestURI()},
		Slots:   NewSlots(terms.Connections),
		Share:   Share{Most: terms.Connections, Enough: terms.Connections},
		results: map[string]profile.Result{},
		began:   time.Now(),
		profile: &profile.Profile{
			Format: profile.Format, Provenance: trace.Measured, Target: terms.Name, Started: time.Now().UTC(),
			Bounds: profile.Bounds{Connections: terms.Connections, Requests: terms.Requests, Wait: profile.Duration(terms.MaxWait)},
		},
	}
	if host := terms.Message.Host(); host != "" {
		p.Target.Host = host
	}
	if terms.ALPN != "" {
		p.Target.TLS = &tls.Config{
			ServerName: terms.URL.Hostname(), RootCAs: terms.Roots, InsecureSkipVerify: terms.Insecure,
			MinVersion: tls.VersionTLS12, NextProtos: []string{terms.ALPN}, Certificates: terms.Certificates,
		}
	}
	p.patience.over, p.patience.end = context.WithCancel(context.Background())
	return p
}

// Record changes the profile, and whatever else experiments share.
func (p *Prober) Record(change func(*profile.Profile)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p.profile)
}

// RecordOf changes what the profile says of a protocol.
func (p *Prober) RecordOf(protocol linger.Protocol, change func(*profile.Protocol)) {
	p.Record(func(doc *profile.Profile) { change(doc.ProtocolNamed(protocol)) })
}

// ResultOf is what came of a case so far.
func (p *Prober) ResultOf(id string) profile.Result {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.results[id]
}

// Judge has facts decide cases.
func (p *Prober) Judge(f conformance.Facts) { p.Decide(f.Judge()) }

// Decide says what came of cases. Of each the first word stands.
func (p *Prober) Decide(results []profile.Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refusals.alone != "" {
		// Whoever limits what it is asked may not answer as it would.
		results = conformance.Undecidable(results, p.refusals.alone)
	}
	for _, r := range results {
		if _, said := p.results[r.ID]; !said {
			p.results[r.ID] = r
		}
	}
}

// Unmeasured says why nothing is known of cases.
func (p *Prober) Unmeasured(why string, ids ...string) {
	p.Decide(conformance.NotMeasured(why, ids...))
}

// ErrSpent is why an experiment could not ask on.
var ErrSpent = errors.New("the bound of requests was reached; --requests raises it")

// Spend takes requests from what may be sent in all, and reports why it cannot.
func (p *Prober) Spend(n int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.refusals.alone != "":
		return errors.New(p.refusals.alone)
	case p.requests+n > p.Requests:
		return ErrSpent
	}
	p.requests += n
	p.profile.Spent.Requests = p.requests
	return nil
}

// Spent is how many connections are open now, and how many requests were sent.
func (p *Prober) Spent() (connections, requests int) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.connected, p.requests
}

// Elapsed is how long the probe has taken so far.
func (p *Prober) Elapsed() time.Duration { return time.Since(p.began) }

// Conclude puts the cases in their order; what nobody has decided is not measured.
func (p *Prober) Conclude(cases []profile.Case) *profile.Profile {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range cases {
		r, ok := p.results[c.ID]
		if !ok {
			why := "the server gave no occasion"
			switch {
			case p.refusals.alone != "":
				why = p.refusals.alone
			case p.profile.Interrupted:
				why = "the probe was ended before"
			}
			r = profile.Result{Case: c, Outcome: profile.NotMeasured, Text: why}
		}
		p.profile.Cases = append(p.profile.Cases, r)
	}
	p.caveatRefusals()
	p.caveatLate()
	p.profile.Took = profile.Duration(time.Since(p.began))
	return p.profile
}
