package flags

import (
	"cmp"
	"fmt"
	"strings"

	"linger"
	"linger/fault"
	"linger/policy"
)

// The grid of a sweep of crowds that names no more than the clients.
const (
	GridThinks = "1s,5s,30s"
	GridIdles  = "1s,5s,15s,75s,0"
)

// CrowdGridFlags name crowds instead of networks, and what they have alike.
type CrowdGridFlags struct {
	Clients           string `group:"Many clients:" placeholder:"LIST" help:"Sweep over crowds in the place of networks: so many clients, times between two pages (--think) and idle timeouts of the server (--idle-timeout), each a list; which serves best. Clients and idle timeouts may be ranges, as 10..1000. Defaults ${thinks} and ${idles}, where 0 is no limit (docs/crowd.md)."`
	Arrivals          string `group:"Many clients:" placeholder:"N/s" help:"How many of them come a second, at random. Default: all come within one think time."`
	Visits            Count  `group:"Many clients:" placeholder:"N" help:"How many pages a client loads; default 5, or with --duration as many as there is time for."`
	Duration          string `group:"Many clients:" short:"z" placeholder:"D" help:"From then on no client comes, and none wants another page."`
	Shared            bool   `group:"Many clients:" help:"All are behind one bottleneck, that of the network; otherwise each has such a link of its own."`
	Backends          Count  `group:"Many clients:" placeholder:"N" help:"So many servers, all alike; default 1."`
	Balance           string `group:"Many clients:" placeholder:"HOW" help:"Which of them a new connection goes to: round-robin, least-connections, random, hash. Default round-robin."`
	ConnectionsBudget Count  `group:"Many clients:" placeholder:"N" help:"How many connections a server may hold for 99 % of the time, those that wait to be taken included: what holds more does not serve."`
	CapacityFlags
}

// gridVisits is how many pages a client of a sweep loads of which nothing is said.
const gridVisits = 5

// Many reports whether crowds are meant; a flag about them without clients is an error.
func (f CrowdGridFlags) Many() (bool, error) {
	if f.Clients != "" {
		return true, nil
	}
	if words := f.Words(); len(words) > 0 {
		return false, fault.Usage("%s is about many clients; say how many, as --clients 10,50,200", words[0])
	}
	return false, nil
}

// Parse returns the grid, what its crowds have alike, and what the server has for them. think and
// idle are the lists of --think and --idle-timeout, steps how many values a range has.
func (f CrowdGridFlags) Parse(think, idle string, steps int) (g linger.CrowdGrid, c linger.Crowd, capacity policy.Capacity, err error) {
	c = linger.Crowd{Visits: int(f.Visits), Shared: f.Shared, Backends: int(f.Backends)}
	for _, part := range []struct {
		flag, value string
		set         func(string) error
	}{
		{"--clients", f.Clients, func(s string) error { g.Clients, err = linger.ParseClients(s, steps); return err }},
		{"--think", cmp.Or(think, GridThinks), func(s string) error { g.Think, err = linger.ParseThinks(s); return err }},
		{"--idle-timeout", cmp.Or(idle, GridIdles), func(s string) error { g.Idle, err = linger.ParseIdles(s, steps); return err }},
		{"--arrivals", f.Arrivals, func(s string) error { c.Arrivals, err = linger.ParseArrivals(s); return err }},
		{"--balance", f.Balance, func(s string) error { c.Balance, err = linger.ParseBalance(s); return err }},
		{"--duration", f.Duration, func(s string) error { c.Duration, err = Duration(s); return err }},
	} {
		if part.value == "" {
			continue
		}
		if err := part.set(part.value); err != nil {
			return g, c, capacity, fault.Usage("%s: %w", part.flag, err)
		}
	}
	if c.Visits == 0 && c.Duration == 0 {
		c.Visits = gridVisits
	}
	if err := g.Validate(); err != nil {
		return g, c, capacity, fault.Usage("%w", err)
	}
	for i := range g.Cells() {
		one := c
		one.Clients, one.Think = g.Cell(i)
		if err := one.Validate(); err != nil {
			return g, c, capacity, fault.Usage("%w", err)
		}
	}
	if f.Balance != "" && c.Servers() == 1 {
		return g, c, capacity, fault.Usage("--balance chooses among servers, and there is one; add --backends 4, or leave it out")
	}
	capacity, err = f.CapacityFlags.Parse(0)
	return g, c, capacity, err
}

// Words are the flags that were given.
func (f CrowdGridFlags) Words() []string {
	words := Settings([][3]string{
		{"--clients", f.Clients, ""}, {"--arrivals", f.Arrivals, ""}, {"--visits", fmt.Sprint(f.Visits), "0"}, {"--duration", f.Duration, ""},
		{"--backends", fmt.Sprint(f.Backends), "0"}, {"--balance", f.Balance, ""}, {"--connections-budget", fmt.Sprint(f.ConnectionsBudget), "0"},
	})
	if f.Shared {
		words = append(words, "--shared")
	}
	return append(words, f.CapacityFlags.Words()...)
}

// One returns the one network that the flags name, the usual one where they name none.
func (f GridFlags) One() (linger.Network, error) {
	for _, list := range [][2]string{{"--network", f.Network}, {"--rtt", f.RTT}, {"--down", f.Down}, {"--loss", f.Loss}} {
		if strings.Contains(list[1], ",") || strings.Contains(list[1], "..") || list[1] == "all" {
			return linger.Network{}, fault.Usage("%s %s: with --clients the sweep is over crowds, all on one network; give one value", list[0], list[1])
		}
	}
	return NetworkFlags{Network: cmp.Or(f.Network, linger.DefaultNetwork), RTT: f.RTT, Down: f.Down, Up: f.Up, Loss: f.Loss, Queue: f.Queue}.Parse()
}
