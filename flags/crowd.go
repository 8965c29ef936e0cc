package flags

import (
	"fmt"
	"strconv"
	"time"

	"linger"
	"linger/fault"
)

// CrowdFlags say that many clients load a workload, when, and how they come to several servers.
type CrowdFlags struct {
	Clients        *int   `group:"Many clients:" placeholder:"N" help:"So many clients load the workload, each with an address and connections of its own (docs/crowd.md)."`
	Arrivals       string `group:"Many clients:" placeholder:"N/s" help:"How many of them come a second, at random; at-once has all come at one moment. Default: all come within one think time."`
	Visits         Count  `group:"Many clients:" placeholder:"N" help:"How many pages a client loads, with a pause between two (--think); default 2, or with --duration as many as there is time for."`
	Duration       string `short:"z" placeholder:"D" help:"From then on no client comes, and none wants another page."`
	Shared         bool   `group:"Many clients:" help:"All are behind one bottleneck, that of --network; otherwise each has such a link of its own."`
	Mix            string `group:"Many clients:" placeholder:"LIST" help:"Clients of several strategies at once, by weight, as keep:6=3,h2=1; in the place of -s."`
	Backends       Count  `group:"Many clients:" placeholder:"N" help:"So many servers, all alike; default 1."`
	Balance        string `group:"Many clients:" placeholder:"HOW" help:"Which of them a new connection goes to: ${balances}. Default round-robin."`
	AddBackend     string `group:"Many clients:" placeholder:"D" help:"One server more takes connections from then on."`
	RestartBackend string `group:"Many clients:" placeholder:"D" help:"The first server closes all its connections then, and begins anew."`
	Reconnect      string `group:"Many clients:" placeholder:"D" help:"A client that loses a kept connection opens another within that time, at random, before it wants anything; 0s is at once. Otherwise it waits for its next page."`
}

// What a crowd does of which nothing is said.
const (
	crowdThink  = 5 * time.Second
	crowdVisits = 2
	atOnce      = "at-once"
)

// Many reports whether a crowd is meant. limits are the flags given that say what a server has for
// many clients. One client of which nothing else is said is none.
func (f CrowdFlags) Many(limits []string) (bool, error) {
	clients := f.Clients
	f.Clients = nil
	others := append(f.Words(), limits...)
	switch {
	case clients == nil && len(others) == 0:
		return false, nil
	case clients == nil:
		return false, fault.Usage("%s is about many clients; say how many, as --clients 50", others[0])
	case *clients < 1 || *clients > linger.MaxClients:
		return false, fault.Usage("--clients: %d; give 1 to %d", *clients, linger.MaxClients)
	}
	return *clients > 1 || len(others) > 0, nil
}

// Parse returns the crowd; think is the pause between two pages, as linger.ParseThink reads it.
func (f CrowdFlags) Parse(think string) (c linger.Crowd, err error) {
	c = linger.Crowd{
		Clients: *f.Clients, Think: linger.Think{Least: crowdThink}, Visits: int(f.Visits),
		Shared: f.Shared, Backends: int(f.Backends),
	}
	for _, part := range []struct {
		flag, value string
		set         func(string) error
	}{
		{"--think", think, func(s string) error { c.Think, err = linger.ParseThink(s); return err }},
		{"--arrivals", f.Arrivals, func(s string) error {
			if s != atOnce {
				c.Arrivals, err = linger.ParseArrivals(s)
			}
			return err
		}},
		{"--mix", f.Mix, func(s string) error { c.Mix, err = linger.ParseMix(s); return err }},
		{"--balance", f.Balance, func(s string) error { c.Balance, err = linger.ParseBalance(s); return err }},
		{"--duration", f.Duration, lasting(&c.Duration)},
		{"--add-backend", f.AddBackend, lasting(&c.AddAt)},
		{"--restart-backend", f.RestartBackend, lasting(&c.RestartAt)},
		{"--reconnect", f.Reconnect, func(s string) error {
			d, err := Duration(s)
			c.Reconnect = linger.Known(d)
			return err
		}},
	} {
		if part.value == "" {
			continue
		}
		if err := part.set(part.value); err != nil {
			return c, fault.Usage("%s: %w", part.flag, err)
		}
	}
	if c.Visits == 0 && c.Duration == 0 {
		c.Visits = crowdVisits
	}
	if f.Arrivals == "" && c.Think.Mean() > 0 {
		c.Arrivals = float64(c.Clients) / c.Think.Mean().Seconds()
	}
	if err := c.Validate(); err != nil {
		return c, fault.Usage("%w", err)
	}
	return c, f.suits(c)
}

// suits reports a part of a crowd that has nothing to act on.
func (f CrowdFlags) suits(c linger.Crowd) error {
	if f.Balance != "" && c.Servers() == 1 {
		return fault.Usage("--balance chooses among servers, and there is one; add --backends 4, or leave it out")
	}
	for _, event := range []struct {
		flag string
		at   time.Duration
	}{{"--add-backend", c.AddAt}, {"--restart-backend", c.RestartAt}} {
		if c.Duration > 0 && event.at >= c.Duration {
			return fault.Usage("%s: at %v the crowd has ended, which lasts %v; give an earlier time, or a longer --duration", event.flag, event.at, c.Duration)
		}
	}
	return nil
}

// lasting reads a time that is more than none.
func lasting(to *time.Duration) func(string) error {
	return func(s string) error {
		d, err := Duration(s)
		if err == nil && d <= 0 {
			err = fmt.Errorf("%v; give more than that, as 30s", d)
		}
		*to = d
		return err
	}
}

// Words are the flags that were given.
func (f CrowdFlags) Words() []string {
	clients := ""
	if f.Clients != nil {
		clients = strconv.Itoa(*f.Clients)
	}
	words := Settings([][3]string{
		{"--clients", clients, ""}, {"--arrivals", f.Arrivals, ""}, {"--visits", fmt.Sprint(f.Visits), "0"}, {"--duration", f.Duration, ""},
		{"--mix", f.Mix, ""}, {"--backends", fmt.Sprint(f.Backends), "0"}, {"--balance", f.Balance, ""},
		{"--add-backend", f.AddBackend, ""}, {"--restart-backend", f.RestartBackend, ""}, {"--reconnect", f.Reconnect, ""},
	})
	if f.Shared {
		words = append(words, "--shared")
	}
	return words
}
