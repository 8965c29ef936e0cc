package main

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"io"
	"net"
	"net/url"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"

	"linger"
	"linger/ask"
	"linger/compare/capacity"
	"linger/console"
	"linger/fault"
	"linger/flags"
	"linger/load"
	"linger/load/plan"
	"linger/policy"
	"linger/report/document"
	"linger/report/formats"
	"linger/report/text"
	"linger/rig"
	"linger/rig/loads"
	"linger/tally"
)

type benchCmd struct {
	URLs []string `arg:"" optional:"" name:"url" help:"What is asked for; several URLs in turn, or by --weights."`

	Strategies  string         `short:"s" aliases:"strategy" placeholder:"LIST" help:"How connections are used, side by side: ${forms}; :N for N connections; behind a + ${modifiers}. Default keep."`
	Connections int            `short:"c" default:"64" placeholder:"N" help:"How many connections are held at once; of close, how many are opened at once. Default 64."`
	InFlight    int            `placeholder:"N" help:"How many requests may be under way on a connection of pipeline, h2 or h3; default 16."`
	Requests    int64          `short:"n" placeholder:"N" help:"How many requests of each strategy; default is as many as there is time for."`
	For         time.Duration  `short:"z" placeholder:"TIME" help:"For how long, of each strategy; default 10s, or with -n no bound."`
	WarmUp      *time.Duration `placeholder:"TIME" help:"For how long before each turn nothing is counted; default 500ms, or a fifth of the turn if that is less, and 0s with -n."`
	Turns       int            `placeholder:"N" help:"In how many turns each strategy has its time; default 5, or 1 of a single strategy or of rates that change."`
	Rate        string         `placeholder:"RATE" help:"Send requests at this rate, whatever becomes of them: 500/s, 100..1000/s:60s to grow, 100/s:10s,200/s:10s for steps. Default: each connection asks again when it has its answer."`
	Poisson     bool           `help:"With --rate: at random moments, as users come who know nothing of each other."`
	Seed        uint64         `default:"1" placeholder:"N" help:"Fixes what is drawn; default 1."`

	RequestsPerConnection string        `placeholder:"N|MIN:MAX" help:"Give a connection up after so many requests."`
	ConnectionMaxAge      time.Duration `placeholder:"TIME" help:"Give it up at its first answer after this time."`
	ConnectionIdleTimeout time.Duration `placeholder:"TIME" help:"Give it up when it has not been used for so long."`
	ReconnectRate         string        `placeholder:"N/s" help:"Open so many of all connections anew each second."`
	Think                 string        `placeholder:"TIME" help:"Wait so long between an answer and the next request of the same connection."`
	Reuse                 string        `enum:"mru,lru" default:"mru" placeholder:"mru|lru" help:"Which idle connection is used first: the one used last, or the one idle for longest. Default mru."`
	Close                 string        `enum:"fin,rst,again,again-rst" default:"fin" placeholder:"fin|rst|again" help:"How the client ends connections: by FIN; by RST; or the socket is used again, which waits for the server's FIN, and sends RST where that does not come. Default fin."`

	Weights    []int  `placeholder:"N,N,…" help:"How often each of several URLs is asked for, against the others."`
	Upload     string `short:"T" group:"As in curl:" placeholder:"FILE" help:"Send this file's content by PUT."`
	Compressed bool   `group:"As in curl:" help:"Ask for contents compressed by gzip."`
	Expect     int    `placeholder:"STATUS" help:"The status that answers are to have; default any from 200 to 399."`
	Timeout    string `default:"30s" placeholder:"TIME" help:"After how long without its answer a request has failed; default 30s."`
	PID        int    `name:"pid" placeholder:"N" help:"The server's process, with all that come from it, whose processor time counts; default is who listens on the port, if that is on this machine."`
	Yes        bool   `help:"Send the load also to what is not this machine."`

	Assert []string `sep:"none" placeholder:"WHAT" help:"A condition, as 'p99<20ms && connections<=64'; exit status 1 if it does not hold, or is not known. May stand several times. See docs/assert.md."`
	Output []string `short:"o" sep:"none" placeholder:"FILE" help:"Write too: .json, .txt, .csv, .bench (for benchstat), .xml (JUnit), .sarif, .prom (OpenMetrics); - is standard output, in JSON. May stand several times."`
	JSON   bool     `help:"Print JSON, as -o -."`
	flags.WideFlag
	flags.ReachFlags
}

const (
	benchFor   = 10 * time.Second
	benchTurns = 5
	benchWarm  = 500 * time.Millisecond
)

// Run loads a server by each strategy in turns, and says what connections cost it.
func (c benchCmd) Run(ctx context.Context, std console.Streams) error {
	if err := c.misled(); err != nil {
		return err
	}
	for i, u := range c.URLs {
		c.URLs[i] = flags.AsURL(u, std)
	}
	b, set, err := c.bench()
	if err != nil {
		return err
	}
	asserted, err := flags.Assertions(c.Assert, capacity.Vocabulary(b.Strategies...))
	if err != nil {
		return err
	}
	out, err := console.Open(std, console.Wanted{Files: c.Output, JSON: c.JSON, Wide: c.Wide}, append([]string{".json", ".txt", ".csv", document.Benchmark}, formats.Endings...)...)
	if err != nil {
		return err
	}
	defer out.Discard()
	local, err := c.aim(ctx, std, &b)
	if err != nil {
		return err
	}
	result := capacity.Load{Linger: version, URLs: c.named(), Began: time.Now().UTC(), Machine: rig.ThisMachine(), Local: local, Settings: set, Strategies: b.Strategies}
	if b.Server != nil {
		result.Server = b.Server.Name
	}
	if result.Turns, err = c.load(ctx, out, b); err != nil {
		return err
	}
	if !slices.ContainsFunc(result.Turns, func(runs []tally.Run) bool { return len(runs) > 0 }) {
		return fault.Stopped(ctx)
	}
	found := capacity.Of(result)
	for _, a := range asserted {
		found.Asserted = append(found.Asserted, a.Of(found.Figures()))
	}
	err = writeAs(out, c.command(), false, func(w io.Writer, ending string, o document.Options) error {
		return document.WriteLoad(w, ending, found, o)
	})
	switch {
	case err != nil:
		return err
	case ctx.Err() != nil:
		return fault.Silent(fault.StoppedEarly)
	case found.Findings[0].Code == capacity.FoundUnserved && found.Findings[0].Cause == string(tally.Malformed):
		return fault.Silent(fault.NotMet)
	case found.Findings[0].Code == capacity.FoundUnserved:
		return fault.Silent(fault.TargetUnreachable)
	}
	return flags.Broken(found.Asserted)
}

// load carries the turns out, and shows how far they are.
func (c benchCmd) load(ctx context.Context, out *console.Outputs, b loads.Bench) ([][]tally.Run, error) {
	title := strings.Join(c.named(), ", ")
	turn := b.Config.Plan.WarmUp + b.Config.Plan.Time
	line := console.Watch(out, func(now loads.Now, elapsed time.Duration, o text.Options, rows int) []string {
		l := text.Loading{Title: title, Now: now.Run, Elapsed: elapsed, Of: b.Turns * len(b.Strategies)}
		if now.Run != nil {
			l.Turn, l.Strategy = now.Done+1, b.Strategies[now.Strategy].Name
		}
		if b.Config.Plan.Time > 0 {
			l.Total = turn * time.Duration(l.Of)
		}
		return l.Lines(o, rows)
	})
	defer line.End()
	return b.Run(ctx, line.Tell)
}

// named are the URLs as results name them.
func (c benchCmd) named() []string {
	var out []string
	for _, u := range c.URLs {
		out = append(out, linger.WithoutUser(u))
	}
	return out
}

var (
	isDuration = regexp.MustCompile(`^[0-9.]+(ms|s|m|h)$`)
	isNumber   = regexp.MustCompile(`^[0-9]+$`)
)

// misled says what to write instead of what means another thing to users of other programs.
func (c benchCmd) misled() error {
	for _, d := range c.Data {
		switch {
		case isDuration.MatchString(d):
			return fault.Usage("-d is data here, as in curl; wrk's -d %s is -z %s", d, d)
		case strings.HasPrefix(d, "uration="):
			return fault.Usage("-duration is two words here: -z %s", strings.TrimPrefix(d, "uration="))
		}
	}
	if c.Upload != "" && strings.Contains(c.Upload, "/") && (strings.HasPrefix(c.Upload, "application/") || strings.HasPrefix(c.Upload, "text/")) {
		return fault.Usage("-T names a file to upload here, as in curl; hey's and ab's -T %s is -H 'Content-Type: %s'", c.Upload, c.Upload)
	}
	for _, u := range c.URLs {
		if isNumber.MatchString(u) {
			return misplaced(u)
		}
	}
	if len(c.URLs) == 0 {
		return fault.Usage("name what is to be asked for: linger bench http://127.0.0.1:8080/")
	}
	if c.Insecure && !slices.ContainsFunc(c.URLs, func(u string) bool { return strings.HasPrefix(u, linger.SchemeHTTPS) }) {
		return fault.Usage("-k takes any certificate here, as in curl, and there is none over http; ab's -k, keep-alive, is -s keep, which is the default")
	}
	return nil
}

// bench reads what the flags ask for.
func (c benchCmd) bench() (b loads.Bench, set capacity.Settings, err error) {
	list, err := c.Narrow(c.Strategies, "keep,h2,h3")
	if err != nil {
		return b, set, err
	}
	if b.Strategies, err = linger.ParseStrategies(cmp.Or(list, "keep")); err != nil {
		return b, set, fault.Usage("-s: %w", err)
	}
	if b.Config, err = c.reach(); err != nil {
		return b, set, err
	}
	for _, s := range b.Strategies {
		for _, t := range b.Config.Targets {
			if s.QUIC() && t.Scheme == linger.SchemeHTTP {
				return b, set, fault.Usage("-s %s: QUIC is always encrypted; write https://%s", s.Name, t.Address)
			}
		}
	}
	if err = c.life(&b.Config.Life); err != nil {
		return b, set, err
	}
	if err = c.plan(&b); err != nil {
		return b, set, err
	}
	life := b.Config.Life
	return b, capacity.Settings{
		Turns: b.Turns, Turn: b.Config.Plan.Time, WarmUp: b.Config.Plan.WarmUp, Rate: c.Rate, Least: life.Requests.Least, Most: life.Requests.Most,
		MaxAge: life.MaxAge, Idle: life.Idle, Reconnect: life.Reconnect, Think: life.Think,
	}, nil
}

// plan reads how much is sent, when, and in how many turns.
func (c benchCmd) plan(b *loads.Bench) error {
	p := &b.Config.Plan
	var err error
	if p.Stages, err = plan.ParseRate(c.Rate); err != nil {
		return fault.Usage("--rate: %w", err)
	}
	changes := len(p.Stages) > 1 || len(p.Stages) == 1 && p.Stages[0].Time > 0
	if b.Turns = c.Turns; b.Turns == 0 {
		b.Turns = benchTurns
		if len(b.Strategies) == 1 || changes {
			b.Turns = 1
		}
	}
	const mostTurns = 1000
	switch {
	case c.Poisson && !p.Open():
		return fault.Usage("--poisson goes with --rate: how many requests a second, as --rate 500/s")
	case b.Turns < 1 || b.Turns > mostTurns:
		return fault.Usage("--turns: %d; give 1 to %d", c.Turns, mostTurns)
	case c.Requests < 0 || c.For < 0:
		return fault.Usage("-n and -z are a number and a time from 0 up")
	case c.Requests > 0 && c.Requests < int64(b.Turns):
		return fault.Usage("-n %d is less than one request in each of %d turns; give more, or --turns 1", c.Requests, b.Turns)
	}
	p.Poisson, p.Seed = c.Poisson, c.Seed
	p.Requests = c.Requests / int64(b.Turns)
	if p.Time = c.For; p.Time == 0 && c.Requests == 0 && !changes {
		p.Time = benchFor
	}
	p.Time /= time.Duration(b.Turns)
	if p.WarmUp = min(benchWarm, p.Time/5); c.Requests > 0 {
		p.WarmUp = 0
	}
	if c.WarmUp != nil {
		p.WarmUp = *c.WarmUp
	}
	if err := p.Check(); err != nil {
		return fault.Usage("%w", err)
	}
	return nil
}

// life reads for how long connections are used.
func (c benchCmd) life(l *plan.Life) (err error) {
	if c.RequestsPerConnection != "" {
		if l.Requests, err = plan.ParseRange(c.RequestsPerConnection); err != nil {
			return fault.Usage("--requests-per-connection: %w", err)
		}
	}
	if c.ReconnectRate != "" {
		l.Reconnect, err = strconv.ParseFloat(strings.TrimSuffix(c.ReconnectRate, "/s"), 64)
		if err != nil || l.Reconnect <= 0 {
			return fault.Usage("--reconnect-rate: %q is not a rate; write 10/s", c.ReconnectRate)
		}
	}
	if c.Think != "" {
		t, err := linger.ParseThink(c.Think)
		if err != nil {
			return fault.Usage("--think: %w", err)
		}
		if t.Most > 0 && t.Most != t.Least && !t.Random {
			return fault.Usage("--think: a load waits for one time, or one drawn at random about it; not for a range")
		}
		l.Think, l.ThinkRandom = t.Mean(), t.Random
	}
	l.MaxAge, l.Idle = c.ConnectionMaxAge, c.ConnectionIdleTimeout
	if c.Reuse == "lru" {
		l.Reuse = policy.LeastRecent
	}
	if err := l.Check(); err != nil {
		return fault.Usage("%w", err)
	}
	return nil
}

// reach reads what is asked for, where, and how.
func (c benchCmd) reach() (load.Config, error) {
	if c.Upload != "" {
		if len(c.Data) > 0 {
			return load.Config{}, fault.Usage("-T and -d both say what is sent; leave one out")
		}
		c.Data, c.Request = []string{"@" + c.Upload}, cmp.Or(c.Request, "PUT")
	}
	said, err := c.Config("linger/" + version)
	if err != nil {
		return load.Config{}, err
	}
	answer, err := c.Within(c.Timeout)
	if err != nil {
		return load.Config{}, err
	}
	if c.Connections < 1 || c.InFlight < 0 {
		return load.Config{}, fault.Usage("-c and --in-flight are numbers from 1 up")
	}
	out := load.Config{
		Connections: c.Connections, InFlight: c.InFlight, Closing: tally.Closing(c.Close), Route: said.Route, Answer: answer,
		TLS: &tls.Config{RootCAs: said.Roots, InsecureSkipVerify: said.Insecure, Certificates: said.Certificates},
	}
	if c.Expect != 0 && (c.Expect < 100 || c.Expect > 599) {
		return out, fault.Usage("--expect: %d is no status; give one from 100 to 599", c.Expect)
	}
	if len(c.Weights) > 0 && len(c.Weights) != len(c.URLs) {
		return out, fault.Usage("--weights: %d of them for %s; give one of each", len(c.Weights), linger.Plural(len(c.URLs), "URL"))
	}
	for i, u := range c.URLs {
		t, err := target(u, said.Message)
		if err != nil {
			return out, err
		}
		if t.Expect = c.Expect; c.Compressed {
			t.Encoding = "gzip"
		}
		if len(c.Weights) > 0 {
			if t.Weight = c.Weights[i]; t.Weight < 1 {
				return out, fault.Usage("--weights: %d; give numbers from 1 up", t.Weight)
			}
		}
		out.Targets = append(out.Targets, t)
	}
	return out, nil
}

// target is what a URL asks for.
func target(s string, m ask.Message) (load.Target, error) {
	u, err := url.Parse(s)
	if err != nil || u.Hostname() == "" || u.Scheme != linger.SchemeHTTP && u.Scheme != linger.SchemeHTTPS {
		return load.Target{}, fault.Usage("%s is no http or https URL; write http://127.0.0.1:8080/", flags.Quote(linger.WithoutUser(s)))
	}
	port := cmp.Or(u.Port(), strconv.Itoa(map[string]int{linger.SchemeHTTP: 80, linger.SchemeHTTPS: 443}[u.Scheme]))
	if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		return load.Target{}, fault.Usage("%s: the port is a number from 1 to 65535", flags.Quote(linger.WithoutUser(s)))
	}
	return load.Target{
		Scheme: u.Scheme, Address: net.JoinHostPort(u.Hostname(), port), Host: u.Host, Path: cmp.Or(u.RequestURI(), "/"), Message: m,
	}, nil
}

// aim finds out where the load goes. It refuses what is not this machine, unless that was
// allowed, and finds the server's processes.
func (c benchCmd) aim(ctx context.Context, std console.Streams, b *loads.Bench) (local bool, err error) {
	places, err := loads.Places(ctx, b.Config)
	if err != nil {
		return false, err
	}
	local = true
	for _, p := range places {
		if p.Local() {
			continue
		}
		local = false
		what := fmt.Sprintf("%s (%s) is not this machine: it will get %s, %s", p.Address, p.Addresses[0].Addr(), c.amount(b), linger.Plural(b.Config.Connections, "connection")+" at once")
		if !c.Yes {
			return false, fault.Usage("%s; if it is yours to load, add --yes", what)
		}
		std.Note("%s", what)
	}
	switch {
	case c.PID != 0:
		if b.Server, err = loads.Process(c.PID); err != nil {
			return local, fault.Usage("--pid: %w", err)
		}
	case local && b.Config.Route.Unix == "" && len(places) > 0 && len(places[0].Addresses) > 0:
		b.Server, err = loads.Listening(places[0].Addresses[0])
		if err != nil {
			b.Server = nil // of another user, or in another namespace: its side is not known
		}
	}
	return local, nil
}

// amount says how much is sent.
func (c benchCmd) amount(b *loads.Bench) string {
	n, each := len(b.Strategies)*b.Turns, b.Config.Plan
	switch {
	case each.Requests > 0:
		return linger.Plural(int(each.Requests)*n, "request")
	case each.Open():
		return fmt.Sprintf("%s requests", c.Rate)
	}
	return fmt.Sprintf("as many requests as it answers in %v", ((each.Time + each.WarmUp) * time.Duration(n)).Round(time.Millisecond))
}

// command gives the same again.
func (c benchCmd) command() string {
	words := []string{"linger", "bench"}
	for _, u := range c.named() {
		words = append(words, flags.Quote(u))
	}
	words = append(words, flags.Settings([][3]string{
		{"-s", c.Strategies, ""}, {"-c", strconv.Itoa(c.Connections), "64"}, {"-n", fmt.Sprint(c.Requests), "0"}, {"-z", c.For.String(), "0s"}, {"--rate", c.Rate, ""},
		{"--turns", strconv.Itoa(c.Turns), "0"}, {"--requests-per-connection", c.RequestsPerConnection, ""}, {"--think", c.Think, ""}, {"--close", c.Close, "fin"},
	})...)
	return strings.Join(append(append(words, c.Words()...), flags.AssertWords(c.Assert)...), " ")
}
