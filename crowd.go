package linger

import (
	"cmp"
	"fmt"
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"time"
)

// A Crowd is many clients that each load a scenario's workload, once or several times, from one
// server or several that are alike.
type Crowd struct {
	// Clients is how many there are. Each has an address and connections of its own, and goes by
	// the same connection policy as a client by itself.
	Clients int `json:"clients"`
	// Arrivals is how many of them come a second, at random: the gaps between them are
	// exponential (a Poisson process). 0 has all come at one moment.
	Arrivals float64 `json:"arrivals_per_s,omitempty"`
	// Think is how long a client waits after a page before it wants the next one.
	Think Think `json:"think,omitzero"`
	// Visits is how many pages a client loads; 0 is as many as Duration has room for.
	Visits int `json:"visits,omitempty"`
	// Duration is after which no client comes and none wants another page; what is under way
	// goes on. 0 is no end.
	Duration time.Duration `json:"duration_us,omitempty"`
	// Shared puts all clients behind one bottleneck: the scenario's network is one for all of
	// them. Otherwise each has an access link of its own, that network.
	Shared bool `json:"shared,omitempty"`
	// Mix has clients differ in their strategy; none is the scenario's for all.
	Mix []Share `json:"mix,omitempty"`
	// Backends is how many servers there are; 0 is one. Balance is how one is chosen for each
	// connection.
	Backends int     `json:"backends,omitempty"`
	Balance  Balance `json:"balance,omitempty"`
	// AddAt is when one server more takes connections, RestartAt when the first server ends all
	// of its connections and begins anew; 0 is never.
	AddAt     time.Duration `json:"add_backend_us,omitempty"`
	RestartAt time.Duration `json:"restart_backend_us,omitempty"`
	// Reconnect has a client that loses a kept connection between two pages open another within
	// that time, at random, though it wants nothing yet, as those do that hold a connection for
	// what may come (WebSocket, gRPC, pools with a least size). Unknown is when it wants the next
	// page, and 0 is at once.
	Reconnect Opt[time.Duration] `json:"reconnect_us,omitzero"`
}

// A Share is a part of a crowd that goes by one strategy.
type Share struct {
	Strategy Strategy `json:"strategy"`
	Weight   int      `json:"weight"`
}

// A Balance is how the server of a new connection is chosen.
type Balance string

const (
	RoundRobin       Balance = "round-robin" // the empty one, too: each in its turn
	LeastConnections Balance = "least-connections"
	RandomBalance    Balance = "random"
	HashBalance      Balance = "hash" // by the client's address: a client keeps its server
)

// Balances lists them.
var Balances = []Balance{RoundRobin, LeastConnections, RandomBalance, HashBalance}

// ParseBalance reads the name of a Balance.
func ParseBalance(s string) (Balance, error) {
	if b := Balance(s); slices.Contains(Balances, b) {
		return b, nil
	}
	known := make([]string, len(Balances))
	for i, b := range Balances {
		known[i] = string(b)
	}
	return "", unknown("balance", s, known, "how the server of a new connection is chosen")
}

// A Think is the time between two pages of a client: Least, or between Least and Most, each
// as likely as any other; or, Random, exponential with the mean Least.
type Think struct {
	Least  time.Duration `json:"least_us"`
	Most   time.Duration `json:"most_us,omitempty"`
	Random bool          `json:"random,omitempty"`
}

// ParseThink reads "5s", "4s-6s" or "~5s".
func ParseThink(s string) (Think, error) {
	bad := fmt.Errorf("think time %q: write 5s, 4s-6s for any between the two, or ~5s for exponential ones with that mean; at most %v", s, MaxThink)
	text, random := strings.CutPrefix(s, "~")
	low, high, ranged := strings.Cut(text, "-")
	least, err := time.ParseDuration(low)
	if err != nil || least < 0 || least > MaxThink || random && (ranged || least == 0) {
		return Think{}, bad
	}
	t := Think{Least: least, Random: random}
	if ranged {
		if t.Most, err = time.ParseDuration(high); err != nil || t.Most <= least || t.Most > MaxThink {
			return Think{}, bad
		}
	}
	return t, nil
}

// String is as ParseThink reads it.
func (t Think) String() string {
	switch {
	case t.Random:
		return "~" + t.Least.String()
	case t.Most > t.Least:
		return t.Least.String() + "-" + t.Most.String()
	}
	return t.Least.String()
}

// Mean is the mean think time.
func (t Think) Mean() time.Duration {
	if t.Most > t.Least {
		return (t.Least + t.Most) / 2
	}
	return t.Least
}

// draw returns one think time.
func (t Think) draw(r *rand.Rand) time.Duration {
	switch {
	case t.Random:
		return time.Duration(min(r.ExpFloat64()*float64(t.Least), float64(20*t.Least)))
	case t.Most > t.Least:
		return t.Least + time.Duration(r.Int64N(int64(t.Most-t.Least)+1))
	}
	return t.Least
}

// Bounds of a crowd.
const (
	MaxClients  = 100_000
	MaxBackends = 64
	MaxVisits   = 100_000
	MaxCrowd    = 24 * time.Hour // of virtual or real time
)

// A Bound stops a crowd that is not served as fast as it comes; zero is none.
type Bound struct {
	// Pages is how many may be wanted and not done at once.
	Pages int `json:"pages,omitempty"`
	// Longest is how long the whole run may take.
	Longest time.Duration `json:"longest_ns,omitempty"`
}

// ParseMix reads STRATEGY=WEIGHT,..., a weight being a whole number; none is 1.
func ParseMix(s string) ([]Share, error) {
	var out []Share
	for item := range strings.SplitSeq(s, ",") {
		name, weight, weighed := strings.Cut(strings.TrimSpace(item), "=")
		strategy, err := ParseStrategy(name)
		if err != nil {
			return nil, err
		}
		share := Share{strategy, 1}
		if weighed {
			if share.Weight, err = strconv.Atoi(weight); err != nil || share.Weight < 1 || share.Weight > MaxClients {
				return nil, fmt.Errorf("mix %q: %q is not a weight; write a whole number from 1, as in keep:6=3,h2=1", s, weight)
			}
		}
		if slices.ContainsFunc(out, func(o Share) bool { return o.Strategy.Name == strategy.Name }) {
			return nil, fmt.Errorf("mix %q: %s stands twice; name it once", s, strategy.Name)
		}
		out = append(out, share)
	}
	return out, nil
}

// MixName names a mix as ParseMix reads it.
func MixName(mix []Share) string {
	parts := make([]string, len(mix))
	for i, s := range mix {
		parts[i] = fmt.Sprintf("%s=%d", s.Strategy.Name, s.Weight)
	}
	return strings.Join(parts, ",")
}

// Validate reports the first part that no engine can run.
func (c Crowd) Validate() error {
	switch {
	case c.Clients < 1 || c.Clients > MaxClients:
		return fmt.Errorf("a crowd of %d clients; give 1 to %d", c.Clients, MaxClients)
	case c.Arrivals < 0 || math.IsNaN(c.Arrivals) || math.IsInf(c.Arrivals, 0):
		return fmt.Errorf("%v arrivals a second; give more than 0, as in 20/s", c.Arrivals)
	case c.Arrivals > 0 && c.Arrivals*MaxCrowd.Seconds() < 1:
		return fmt.Errorf("%v arrivals a second are less than one in %v; give more, as in 20/s", c.Arrivals, MaxCrowd)
	case c.Visits < 0 || c.Visits > MaxVisits:
		return fmt.Errorf("%d visits of a client; give 1 to %d", c.Visits, MaxVisits)
	case c.Duration < 0 || c.Duration > MaxCrowd:
		return fmt.Errorf("a crowd for %v; give at most %v", c.Duration, MaxCrowd)
	case c.Visits == 0 && c.Duration == 0:
		return fmt.Errorf("a crowd without an end; say how many --visits, or how long with -z")
	case c.Duration == 0 && c.Due() > MaxCrowd:
		return fmt.Errorf("a crowd whose last page is wanted after %v; give an end of at most %v with -z, more arrivals a second, or fewer --visits", c.Due().Round(time.Second), MaxCrowd)
	case c.Visits == 0 && c.Think.Mean() == 0:
		return fmt.Errorf("clients that load pages without a pause for %v; give them time to --think, or a number of --visits", c.Duration)
	case c.Backends < 0 || c.Backends > MaxBackends:
		return fmt.Errorf("%d back ends; give 1 to %d", c.Backends, MaxBackends)
	case c.Reconnect.Or(0) < 0 || c.Reconnect.Or(0) > MaxThink:
		return fmt.Errorf("clients reconnect within %v; give 0s for at once, up to %v", c.Reconnect.Or(0), MaxThink)
	case c.AddAt < 0 || c.RestartAt < 0:
		return fmt.Errorf("a back end is added or restarted before the crowd begins; give a time after it")
	}
	return nil
}

// Due is when the last page is wanted where none waits for another: after so long a run whose
// server keeps up is about to end.
func (c Crowd) Due() time.Duration {
	all := time.Duration(max(0, c.Visits-1)) * c.Think.Mean()
	if c.Arrivals > 0 {
		all += time.Duration(float64(c.Clients) / c.Arrivals * float64(time.Second))
	}
	if c.Duration > 0 && (c.Visits == 0 || c.Duration < all) {
		return c.Duration
	}
	return all
}

// Servers is how many servers there are, the one that is added included.
func (c Crowd) Servers() int {
	n := max(1, c.Backends)
	if c.AddAt > 0 {
		n++
	}
	return n
}

// Strategies are those of the crowd's shares; the scenario's where it has no mix.
func (c Crowd) Strategies(s Scenario) []Strategy {
	if len(c.Mix) == 0 {
		return []Strategy{s.Strategy}
	}
	out := make([]Strategy, len(c.Mix))
	for i, share := range c.Mix {
		out[i] = share.Strategy
	}
	return out
}

// A Member is what one client of a crowd does, as far as it can be said beforehand.
type Member struct {
	Client int // from 0
	// Share is which of the mix's strategies it goes by; 0 where there is none.
	Share int
	// Arrives is when it wants its first page.
	Arrives Instant

	seed   uint64
	think  Think
	back   Opt[time.Duration]
	visits int // linger.Unlimited where only time bounds them
	until  Instant
}

// Members expands a crowd into its clients: the same for the same seed and trial, whatever the
// strategy. Those who would come after the crowd's end are left out.
func (c Crowd) Members(seed uint64, trial int) []Member {
	r := rand.New(rand.NewPCG(seed, uint64(trial)))
	until := Never
	if c.Duration > 0 {
		until = Instant(c.Duration)
	}
	weights, total := make([]int, max(1, len(c.Mix))), 0
	for i := range weights {
		if weights[i] = 1; len(c.Mix) > 0 {
			weights[i] = c.Mix[i].Weight
		}
		total += weights[i]
	}
	out := make([]Member, 0, c.Clients)
	at := Instant(0)
	for i := range c.Clients {
		if c.Arrivals > 0 {
			at = at.Add(time.Duration(r.ExpFloat64() / c.Arrivals * float64(time.Second)))
		}
		m := Member{Client: i, Arrives: at, seed: r.Uint64(), think: c.Think, back: c.Reconnect, visits: c.Visits, until: until}
		// Shares are dealt in turn, so that each has its part whatever the number of clients.
		place := i % total
		for m.Share = 0; place >= weights[m.Share]; m.Share++ {
			place -= weights[m.Share]
		}
		if at > until {
			break
		}
		out = append(out, m)
	}
	return out
}

// Next returns when the member wants its page number visit, from 1, of which the one before
// has ended at an instant; more is false where it wants none.
func (m Member) Next(visit int, ended Instant) (at Instant, more bool) {
	if m.visits != Unlimited && visit >= m.visits {
		return Never, false
	}
	at = ended.Add(m.think.draw(rand.New(rand.NewPCG(m.seed, uint64(visit)))))
	return at, at <= m.until
}

// reconnectsAfter is how long a client takes to see that it has lost a connection, so that one
// which loses each at once is not one that never rests.
const reconnectsAfter = time.Millisecond

// Reconnects returns when the member opens another connection in the place of one that it lost at
// an instant, the n-th of all, from 0; does is false where it waits until it wants a page.
func (m Member) Reconnects(n int, lost Instant) (at Instant, does bool) {
	within, does := m.back.Get()
	if !does || lost > m.until {
		return Never, false
	}
	// Numbers of visits are below 1<<32, so that no draw is used twice.
	r := rand.New(rand.NewPCG(m.seed, 1<<32+uint64(n)))
	return lost.Add(max(reconnectsAfter, time.Duration(r.Float64()*float64(within)))), true
}

// Alone is a member that comes at once and loads one page.
func Alone() Member { return Member{visits: 1, until: Never} }

// ParseArrivals reads "20/s", "3/min" or a plain number a second.
func ParseArrivals(s string) (perSecond float64, err error) {
	number, unit, _ := strings.Cut(s, "/")
	per := map[string]float64{"": 1, "s": 1, "sec": 1, "min": 60, "m": 60, "h": 3600}[unit]
	rate, err := strconv.ParseFloat(number, 64)
	if err != nil || per == 0 || !(rate > 0) || math.IsInf(rate, 0) {
		return 0, fmt.Errorf("arrivals %q: write so many a second, as in 20/s, or a minute, as in 3/min", s)
	}
	return rate / cmp.Or(per, 1), nil
}
