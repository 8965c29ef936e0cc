// Package probe measures what a server does with connections: it opens some, sends
// what standards and habit know, waits, and notes how each connection ends. What it
// found is a profile.Profile.
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
	"io"
	"net"
	"net/url"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"linger"
	"linger/conformance"
	"linger/finding"
	"linger/live"
	"linger/profile"
	"linger/trace"
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
	Route live.Route
	// Message is what requests say besides; its method and content are those of the
	// ordinary request, where that is another than GET.
	Message live.Message
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

// An experiment is one question to the server.
type experiment struct {
	name string
	// protocol is that of profile.Case; "" is asked of any server of HTTP.
	protocol string
	cases    []string // that it decides
	// connections are how many it has open at once, requests how many it sends, both
	// at most.
	connections, requests int
	waits                 bool // for up to MaxWait
	// run asks, and writes what it found with p.record and p.judge.
	run func(ctx context.Context, p *prober)
}

// experiments are all of them, those that wait first.
func experiments() []experiment {
	all := slices.Concat(http1Experiments, http2Experiments, http3Experiments, tlsExperiments)
	slices.SortStableFunc(all, func(a, b experiment) int {
		if a.waits == b.waits {
			return 0
		}
		if a.waits {
			return -1
		}
		return 1
	})
	// Those of DNS have an order of their own.
	return append(all, dnsExperiments...)
}

// A prober is one probe under way.
type prober struct {
	config Config
	whole  bool // no selection of cases was made
	target target
	slots  *slots
	route  live.Route // to target.address
	also   []string   // experiments that Config.Figures need

	mu        sync.Mutex
	profile   *profile.Profile
	results   map[string]profile.Result
	requests  int
	connected int    // connections open now
	refused   string // why no more is asked: rate limiting
	refusal   int    // the status that said so
	refusals  refusals
	patience  context.Context
	impatient context.CancelFunc
	again     time.Duration // how long a wait may take, once that is known; see settled
	progress  Progress
	began     time.Time

	http2, http3 discovery

	small request         // that has a small response, or the ordinary one; see findSmall
	usual usual           // the response to it
	trips []time.Duration // how long handshakes took
	opens time.Time       // when the next connection may be opened
	// most is how many connections of TCP may be open at once for the sake of others, and
	// enough how many it would be otherwise; see findServed.
	most, enough int
	served       *slots // most of them

	facts    http1Facts
	checking bool           // of one connection it is being seen whether it is closed whole
	later    sync.WaitGroup // what goes on behind the experiments
	late     time.Duration  // see lookLate
	sweep    time.Duration  // see sweepOf
	watched  []sighting     // of DNS, of whatever kind
}

// A target is where the server is.
type target struct {
	url     *url.URL
	address string // that answers, IP:port
	host    string // of the Host field
	path    string // of the request, with its query
	tls     *tls.Config
	query   linger.Query // of DNS
}

// Run probes a server. The error is about a probe that could not begin: a target that
// is none, or one that cannot be reached (live.ErrUnreachable). Where ctx ends before
// the probe, the profile holds what was found until then.
func Run(ctx context.Context, config Config) (*profile.Profile, error) {
	p, err := newProber(config)
	if err != nil {
		return nil, err
	}
	plan := p.plan()
	longest := plan.Longest
	ctx, cancel := context.WithCancelCause(ctx)
	defer cancel(nil)
	late := time.AfterFunc(longest, func() { cancel(errLate) })
	defer late.Stop()
	defer p.impatient()
	p.most, p.enough = p.config.Connections, p.config.Connections
	reach := p.reach
	if isDNS(p.target.url.Scheme) {
		reach = p.reachDNS
	}
	if err := reach(ctx); err != nil {
		return nil, err
	}
	p.served = newSlots(p.most)
	looking, enough := context.WithCancel(ctx)
	var looked sync.WaitGroup
	looked.Go(func() { p.lookLate(looking) })
	defer looked.Wait()
	defer enough()
	var all sync.WaitGroup
	chosen := p.inTurn(p.chosen())
	p.progress.Total = len(chosen)
	if p.sparing() {
		longest = plan.Sparing
		late.Reset(longest - time.Since(p.began))
	}
	for _, e := range chosen {
		n := p.share(e)
		if !p.served.take(ctx, e.onTCP(n)) {
			break
		}
		if !p.slots.take(ctx, n) {
			p.served.give(e.onTCP(n))
			break
		}
		all.Go(func() {
			defer p.served.give(e.onTCP(n))
			defer p.slots.give(n)
			e.run(ctx, p)
			p.done(e)
		})
	}
	all.Wait()
	p.impatient()
	p.later.Wait()
	p.recount(ctx)
	p.sweepAll()
	if !isDNS(p.target.url.Scheme) {
		p.judgeHTTP1()
	}
	if context.Cause(ctx) == errLate {
		p.profile.Caveats = append(p.profile.Caveats, finding.Caveat{Code: profile.EndedEarly, Figures: finding.Figures{finding.Number("after", float64(longest)/1e6, "ms")}})
	}
	p.profile.Interrupted = ctx.Err() != nil
	return p.conclude(), nil
}

// errLate is the cause of a probe that has taken its longest.
var errLate = errors.New("it took too long")

func newProber(config Config) (*prober, error) {
	u, err := url.Parse(config.Target)
	switch {
	case err != nil:
		return nil, fmt.Errorf("%q is not a URL; write https://host/path", config.Target)
	case u.User != nil:
		return nil, fmt.Errorf("%s: user and password are not sent from a URL; give them by -u", u.Redacted())
	case u.Scheme != "http" && u.Scheme != "https" && !isDNS(u.Scheme) || u.Hostname() == "":
		return nil, fmt.Errorf("%q is not what can be probed; write https://host/path, http://host/path, dns://host or dot://host", config.Target)
	}
	if config.MaxWait == 0 {
		config.MaxWait = DefaultWait
	}
	if config.Connections == 0 {
		config.Connections = DefaultConnections
	}
	if isDNS(u.Scheme) {
		config.Connections = min(config.Connections, dnsConnections)
	}
	if config.Requests == 0 {
		config.Requests = DefaultRequests
	}
	if config.Answer == 0 {
		config.Answer = DefaultAnswer
	}
	config.Message.Agent = cmp.Or(config.Message.Agent, "linger")
	if config.Cases == nil {
		config.Cases = conformance.Cases()
	}
	whole := len(config.Cases) == len(conformance.Cases())
	config.Cases = slices.DeleteFunc(slices.Clone(config.Cases), func(c profile.Case) bool {
		return (c.Protocol == protocolDNS) != isDNS(u.Scheme)
	})
	p := &prober{
		config:  config,
		whole:   whole,
		target:  target{url: u, host: cmp.Or(config.Message.Host(), u.Host), path: u.RequestURI()},
		route:   config.Route,
		slots:   newSlots(config.Connections),
		results: map[string]profile.Result{},
		began:   time.Now(),
		profile: &profile.Profile{
			Format: profile.Format, Provenance: trace.Measured, Target: config.Target, Started: time.Now().UTC(),
			Bounds: profile.Bounds{Connections: config.Connections, Requests: config.Requests, Wait: profile.Duration(config.MaxWait)},
		},
	}
	p.also = needsOf(u.Scheme, config.Figures)
	p.patience, p.impatient = context.WithCancel(context.Background())
	if isDNS(u.Scheme) {
		if p.target, err = dnsTarget(u, config); err != nil {
			return nil, err
		}
	}
	if u.Scheme == "https" {
		p.target.tls = &tls.Config{
			ServerName: u.Hostname(), RootCAs: config.Roots, InsecureSkipVerify: config.Insecure,
			MinVersion: tls.VersionTLS12, NextProtos: []string{"http/1.1"}, Certificates: config.Certificates,
		}
	}
	return p, nil
}

// chosen are the experiments that decide a case which is asked for, or measure
// something where no selection was made.
func (p *prober) chosen() []experiment {
	var chosen []experiment
	for _, e := range experiments() {
		named := func(name string) bool { return strings.HasPrefix(e.name, name) }
		if p.config.Experiments != nil && !slices.ContainsFunc(p.config.Experiments, named) {
			continue
		}
		if (e.protocol == protocolDNS) != isDNS(p.target.url.Scheme) {
			continue
		}
		if p.whole || slices.Contains(p.also, e.name) || slices.ContainsFunc(p.config.Cases, func(c profile.Case) bool { return slices.Contains(e.cases, c.ID) }) {
			chosen = append(chosen, e)
		}
	}
	return chosen
}

// reach finds the address that answers, the round-trip time to it, and what its
// ordinary answer is.
func (p *prober) reach(ctx context.Context) error {
	port := p.target.url.Port()
	if port == "" {
		port = map[string]string{"http": "80", "https": "443"}[p.target.url.Scheme]
	}
	p.target.address = net.JoinHostPort(p.target.url.Hostname(), port)
	const samples = 3
	var trips []time.Duration
	for range samples {
		began := time.Now()
		c, err := p.open(ctx, nil)
		if err != nil {
			return unreachable(err.Error())
		}
		p.settle(c)
		trips = append(trips, c.handshake)
		if len(trips) == 1 && p.config.Insecure && c.state != nil {
			p.takeAnyway(*c.state)
		}
		if len(trips) == samples {
			a, err := p.exchange(ctx, c, request{})
			if isTurnedAway(err) {
				c.drop()
				return unreachable(fmt.Sprintf("%s at %s was answered %d, %d times in a row; try later, or name another path", p.asked(), p.target.address, a.status, p.refusals.refused))
			}
			if err != nil && (a.status == 0 || !errors.Is(err, io.ErrUnexpectedEOF) && err != errFraming) {
				c.drop()
				return unreachable("no answer to " + p.asked() + " from " + p.target.address + ": " + p.tooLate(err))
			}
			p.profile.Baseline = profile.Baseline{Status: a.status, Bytes: a.length}
			p.profile.Software = linger.Brief(a.header.Get("Server"))
			p.announcedAltSvc(a.header.Get("Alt-Svc"))
			p.usual = usual{a, c.last.Sub(c.asked), time.Since(began)}
		}
		c.drop()
	}
	p.profile.Address = p.target.address
	p.profile.RTT = profile.SpreadOf(trips)
	p.findSmall(ctx)
	p.findServed(ctx, p.usual)
	return nil
}

// settle keeps to the address that has answered, one of several perhaps, for all that follows.
func (p *prober) settle(c *conn) {
	p.target.address = c.RemoteAddr().String()
	p.route = live.Route{Unix: p.route.Unix}
}

// asked is how the ordinary request begins, as messages name it.
func (p *prober) asked() string { return p.method(request{}) + " " + p.target.path }

// tooLate is why there was no answer, with the way out where waiting was too short.
func (p *prober) tooLate(err error) string {
	if !errors.Is(err, os.ErrDeadlineExceeded) && !errors.Is(err, context.DeadlineExceeded) {
		return linger.Brief(cause(err))
	}
	return fmt.Sprintf("no answer in time, within %s; --answer-within %s waits for longer", profile.Duration(p.config.Answer), (6 * p.config.Answer).Round(time.Second))
}

// takeAnyway notes what is wrong with a certificate that nobody has looked at.
func (p *prober) takeAnyway(state tls.ConnectionState) {
	chain := x509.NewCertPool()
	for _, c := range state.PeerCertificates[1:] {
		chain.AddCert(c)
	}
	_, err := state.PeerCertificates[0].Verify(x509.VerifyOptions{DNSName: p.target.url.Hostname(), Roots: p.config.Roots, Intermediates: chain})
	if err == nil {
		return
	}
	p.record(func(doc *profile.Profile) {
		if doc.TLS == nil {
			doc.TLS = &profile.TLS{}
		}
		doc.TLS.Invalid = linger.Brief(strings.TrimPrefix(err.Error(), "x509: "))
	})
}

// unreachable is an error that counts as live.ErrUnreachable and has a text of its own.
type unreachable string

func (e unreachable) Error() string { return string(e) }

func (e unreachable) Is(target error) bool { return target == live.ErrUnreachable }

// record changes the profile; experiments run at once.
func (p *prober) record(change func(*profile.Profile)) {
	p.mu.Lock()
	defer p.mu.Unlock()
	change(p.profile)
}

// judge has facts decide cases.
func (p *prober) judge(f conformance.Facts) { p.decide(f.Judge()) }

// decide says what came of cases. Of each the first word stands.
func (p *prober) decide(results []profile.Result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.refused != "" {
		// Whoever limits what it is asked may not answer as it would.
		results = conformance.Undecidable(results, p.refused)
	}
	for _, r := range results {
		if _, said := p.results[r.ID]; !said {
			p.results[r.ID] = r
		}
	}
}

// unmeasured says why nothing is known of cases.
func (p *prober) unmeasured(why string, ids ...string) {
	p.decide(conformance.NotMeasured(why, ids...))
}

// settled is told once the idle limit after a response is known: what else is being
// waited for, or will be, has as long again, and not less than five seconds.
func (p *prober) settled(limit time.Duration) {
	if p.config.Patient {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.again == 0 {
		p.again = max(limit, 5*time.Second)
		time.AfterFunc(p.again, p.impatient)
	}
}

// wait bounds a wait for the end of a connection by MaxWait, and what it takes to
// begin it, and by patience.
func (p *prober) wait(ctx context.Context) (context.Context, context.CancelFunc) {
	p.mu.Lock()
	again := p.again
	p.mu.Unlock()
	if again > 0 {
		return context.WithTimeout(ctx, min(again, p.config.Watched()))
	}
	ctx, cancel := context.WithTimeout(ctx, p.config.Watched())
	stop := context.AfterFunc(p.patience, cancel)
	return ctx, func() { stop(); cancel() }
}

// errSpent and errRefused are why an experiment could not ask on.
var errSpent = errors.New("the bound of requests was reached; --requests raises it")

// spend takes requests from what may be sent in all, and reports why it cannot.
func (p *prober) spend(n int) error {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.refused != "":
		return errors.New(p.refused)
	case p.requests+n > p.config.Requests:
		return errSpent
	}
	p.requests += n
	p.profile.Spent.Requests = p.requests
	return nil
}

// done tells how far the probe is.
func (p *prober) done(e experiment) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.progress.Done++
	if p.config.Progress != nil {
		now := p.progress
		now.Connections, now.Requests, now.Elapsed = p.connected, p.requests, time.Since(p.began)
		p.config.Progress(now)
	}
}

// conclude puts the cases in their order; what nobody has decided is not measured.
func (p *prober) conclude() *profile.Profile {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.config.Cases {
		r, ok := p.results[c.ID]
		if !ok {
			why := "the server gave no occasion"
			switch {
			case p.refused != "":
				why = p.refused
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
