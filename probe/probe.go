// Package probe measures what a server does with connections: it opens some, sends what
// standards and habit know, waits, and notes how each connection ends.
//
// [Run] probes the server that a [Config] names, and returns a profile.Profile; [Plan] says
// beforehand what that takes of the server at most. The questions themselves are in rooms of
// their own: probe/http1, probe/http2, probe/http3 and probe/dns speak a protocol each,
// probe/secure speaks TLS. What they share is probe/prober, and what was seen of
// connections becomes limits in probe/limits, without a socket.
//
// An experiment is one question to the server: a row of data that says how many
// connections and requests it takes at most, and which cases it decides. All of them
// run at once, as far as the bounds of connections allow, the longest waits first, so
// that a probe lasts as long as its longest wait.
package probe

import (
	"cmp"
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"
	"sync"
	"time"

	"linger"
	"linger/ask"
	"linger/conformance"
	"linger/dial"
	"linger/finding"
	"linger/page"
	"linger/probe/dns"
	"linger/probe/http1"
	"linger/probe/http2"
	"linger/probe/http3"
	"linger/probe/prober"
	"linger/probe/secure"
	"linger/profile"
)

// Config says what is probed, and what that may take.
type Config struct {
	// Target is an http or https URL, dns://HOST[:PORT][/NAME][?type=TYPE], or the same
	// with dot: for TLS.
	Target string
	// Roots are the authorities that may vouch for the server; nil are the system's.
	// Insecure takes any certificate, and notes what was wrong with it.
	Roots    *x509.CertPool
	Insecure bool
	// MaxWait is the longest wait for the end of one connection; zero is DefaultWait.
	MaxWait time.Duration
	// Patient waits that long for each limit. Otherwise waiting ends some time after
	// the idle limits after a response are known, and the others have lower bounds.
	Patient bool
	// Connections are how many are open at once, and Requests how many are sent in
	// all, at most; zero is DefaultConnections and DefaultRequests.
	Connections, Requests int
	// Answer is how long one answer, or one handshake, may take; zero is DefaultAnswer.
	Answer time.Duration
	// Certificates are what the client shows of itself where the server asks for that.
	Certificates []tls.Certificate
	// Route says where connections to the target really go.
	Route dial.Route
	// Message is what requests say besides; its method and content are those of the
	// ordinary request, where that is another than GET.
	Message ask.Message
	// Cases are those that are to be decided; nil is all.
	Cases []profile.Case
	// Experiments are the beginnings of the names of those that are made; nil is all.
	Experiments []string
	// Figures are those of assertions: what measures them is made, too, whatever Cases are.
	Figures []string
	// Progress, where set, is told how far the probe is, from one goroutine at a time.
	Progress func(Progress)
}

// What a probe takes at most unless it is told otherwise.
const (
	DefaultWait        = 75 * time.Second
	DefaultConnections = 40
	DefaultRequests    = 200
	DefaultAnswer      = 5 * time.Second
)

// Progress is how far a probe is.
type Progress struct {
	Done, Total int // experiments
	Connections int // open now
	Requests    int // sent so far
	Elapsed     time.Duration
	// Waiting is what the longest of the running waits is for.
	Waiting string
}

// A probe is one under way: what a target of its scheme can be asked.
type probe struct {
	*prober.Prober
	config      Config
	cases       []profile.Case      // that are to be decided
	experiments []prober.Experiment // that there are
	reach       func(context.Context) error
	// conclude puts together what the experiments saw, once all of them are done.
	conclude func(context.Context)
	progress Progress
	reported sync.Mutex
}

// Run probes a server. The error is about a probe that could not begin: a target that
// is none, or one that cannot be reached (dial.ErrUnreachable). Where ctx ends before
// the probe, the profile holds what was found until then.
func Run(ctx context.Context, config Config) (*profile.Profile, error) {
	p, err := newProbe(config)
	if err != nil {
		return nil, err
	}
	defer p.NoMore()
	began, plan := time.Now(), p.plan()
	longest := plan.Longest
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(longest, func() { cancel(errLate) })
	defer late.Stop()
	if err := p.reach(ctx); err != nil {
		return nil, err
	}
	if p.Sparing() {
		longest = plan.Sparing
		late.Reset(longest - time.Since(began))
	}
	p.WatchingItself(ctx, func() {
		p.experiment(ctx)
		p.NoMore()
		p.conclude(ctx)
	})
	p.Record(func(doc *profile.Profile) {
		if context.Cause(ctx) == errLate {
			doc.Caveats = append(doc.Caveats, finding.Caveat{Code: profile.EndedEarly, Figures: finding.Figures{finding.Number("after", float64(longest)/1e6, "ms")}})
		}
		doc.Interrupted = ctx.Err() != nil
	})
	return p.Prober.Conclude(p.cases), nil
}

// errLate is the cause of a probe that has taken its longest.
var errLate = errors.New("it took too long")

// experiment makes all that are chosen, as many at once as the bounds of connections allow.
func (p *probe) experiment(ctx context.Context) {
	served := prober.NewSlots(p.Most)
	chosen := p.InTurn(p.Chosen)
	p.progress.Total = len(chosen)
	var all sync.WaitGroup
	defer all.Wait()
	for _, e := range chosen {
		n := p.ShareOf(e)
		if !served.Take(ctx, e.OnTCP(n)) {
			return
		}
		if !p.Slots.Take(ctx, n) {
			served.Give(e.OnTCP(n))
			return
		}
		all.Go(func() {
			defer served.Give(e.OnTCP(n))
			defer p.Slots.Give(n)
			e.Run(ctx)
			p.done()
		})
	}
}

// done tells how far the probe is.
func (p *probe) done() {
	p.reported.Lock()
	defer p.reported.Unlock()
	p.progress.Done++
	if p.config.Progress != nil {
		now := p.progress
		now.Connections, now.Requests = p.Spent()
		now.Elapsed = p.Elapsed()
		p.config.Progress(now)
	}
}

// newProbe holds what is asked for against what can be, and begins. Nothing is sent yet.
func newProbe(config Config) (*probe, error) {
	u, err := url.Parse(config.Target)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%s is not a URL; write https://host/path", linger.Unreadable(config.Target))
	case u.User != nil:
		return nil, fmt.Errorf("%s: user and password are not sent from a URL; give them by -u", linger.WithoutUser(config.Target))
	case u.Scheme != linger.SchemeHTTP && u.Scheme != linger.SchemeHTTPS && !dns.Speaks(u.Scheme) || u.Hostname() == "":
		return nil, fmt.Errorf("%q is not what can be probed; write https://host/path, http://host/path, dns://host or dot://host", config.Target)
	}
	if err := page.CheckAddress(u); err != nil {
		return nil, err
	}
	all := conformance.Cases()
	cases := config.Cases
	if cases == nil {
		cases = all
	}
	p := &probe{config: config, Prober: prober.New(config.terms(u, len(cases) == len(all)))}
	p.cases = slices.DeleteFunc(slices.Clone(cases), func(c profile.Case) bool {
		return (c.Protocol == linger.DNS) != dns.Speaks(u.Scheme)
	})
	if dns.Speaks(u.Scheme) {
		err = p.ofDNS(u)
	} else {
		p.ofHTTP()
	}
	if err != nil {
		return nil, err
	}
	p.Prober.Chosen = p.choose()
	return p, nil
}

// terms are the configuration with its defaults, for a target. Whole says that all cases
// are to be decided.
func (c Config) terms(u *url.URL, whole bool) prober.Terms {
	t := prober.Terms{
		URL: u, Name: c.Target, Roots: c.Roots, Insecure: c.Insecure, Certificates: c.Certificates,
		MaxWait: cmp.Or(c.MaxWait, DefaultWait), Patient: c.Patient, Answer: cmp.Or(c.Answer, DefaultAnswer),
		Connections: cmp.Or(c.Connections, DefaultConnections), Requests: cmp.Or(c.Requests, DefaultRequests),
		Route: c.Route, Message: c.Message, Whole: whole, Named: c.Experiments != nil,
	}
	t.Message.Agent = cmp.Or(t.Message.Agent, "linger")
	if dns.Speaks(u.Scheme) {
		t.Connections = min(t.Connections, dns.MostConnections)
	}
	switch u.Scheme {
	case linger.SchemeHTTPS:
		t.ALPN = linger.HTTP11.ALPN()
	case dns.SchemeDoT:
		t.ALPN = linger.DNSOverTLS.ALPN()
	}
	return t
}

// ofDNS has the probe ask a server of DNS.
func (p *probe) ofDNS(u *url.URL) error {
	query, err := dns.Target(u)
	if err != nil {
		return err
	}
	server := dns.New(p.Prober, query)
	p.experiments, p.reach = server.Experiments(), server.Reach
	p.conclude = func(context.Context) { p.SweepAll() }
	return nil
}

// ofHTTP has the probe ask a server of HTTP in all its versions. Experiments that wait come
// first.
func (p *probe) ofHTTP() {
	server := http1.New(p.Prober)
	p.experiments = slices.Concat(server.Experiments(), http2.New(p.Prober).Experiments(), http3.New(p.Prober).Experiments(), secure.New(p.Prober, server).Experiments())
	waiting := func(e prober.Experiment) int {
		if e.Waits {
			return 0
		}
		return 1
	}
	slices.SortStableFunc(p.experiments, func(a, b prober.Experiment) int { return waiting(a) - waiting(b) })
	p.reach = server.Reach
	p.conclude = func(ctx context.Context) {
		server.Finish(ctx)
		p.SweepAll()
		server.JudgeTogether()
	}
}

// choose returns the experiments that decide a case which is asked for, or measure a figure
// that is, or measure something where no selection was made.
func (p *probe) choose() (chosen []prober.Experiment) {
	for _, e := range p.experiments {
		named := func(name string) bool { return strings.HasPrefix(e.Name, name) }
		decides := func(c profile.Case) bool { return slices.Contains(e.Cases, c.ID) }
		measures := func(figure string) bool { return slices.Contains(e.Figures, measured(p.URL.Scheme, figure)) }
		switch {
		case p.Named && !slices.ContainsFunc(p.config.Experiments, named):
		case p.Whole || slices.ContainsFunc(p.cases, decides) || slices.ContainsFunc(p.config.Figures, measures):
			chosen = append(chosen, e)
		}
	}
	return chosen
}

// measured is the name under which experiments know a figure: that of an assertion, without
// the suffix of HTTP/1.1 or, where DNS is asked, of any protocol.
func measured(scheme, figure string) string {
	suffixes := []linger.Protocol{linger.HTTP11}
	if dns.Speaks(scheme) {
		suffixes = append(suffixes, linger.H2, linger.H3, linger.DNSOverTCP, linger.DNSOverTLS)
	}
	for _, s := range suffixes {
		figure = strings.TrimSuffix(figure, "_"+s.Short())
	}
	return figure
}

// IdleExperiments names, for Config.Experiments, what measures the idle limits after a
// response: where it is agreed upon over TLS, of HTTP/2 too.
func IdleExperiments(scheme string) []string {
	if scheme == linger.SchemeHTTPS {
		return []string{http1.Idle, http2.Idle}
	}
	return []string{http1.Idle}
}
