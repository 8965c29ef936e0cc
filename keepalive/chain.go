package keepalive

import (
	"fmt"
	"math"
	"slices"
	"time"

	"linger"
	"linger/profile"
)

// ChainFormat names the document of a chain and the version of its form.
const ChainFormat = "linger chain 1"

// A Source says where a limit of a chain is known from.
type Source string

const (
	FromProbe   Source = "measured"
	FromWait    Source = "measured at least" // waiting ended first: a lower bound
	FromUser    Source = "told"
	FromDefault Source = "default" // of the software, as docs/keepalive.md has it
	FromNowhere Source = "not known"
)

// A Limit is for how long one side of a connection lets it be idle.
type Limit struct {
	Source Source `json:"source"`
	// Value is the limit, of FromWait a lower bound of it.
	Value   profile.Duration `json:"value_ms,omitempty"`
	Endless bool             `json:"endless,omitempty"` // there is none; Value is 0
	// Uncertainty is how far the limit may be from Value to either side.
	Uncertainty profile.Duration `json:"uncertainty_ms,omitempty"`
	// Soft says that it is what was seen of the software, which promises nothing.
	Soft bool   `json:"soft,omitempty"`
	Note string `json:"note,omitempty"` // of FromNowhere, why
}

// Known reports whether there is a limit, or known to be none.
func (l Limit) Known() bool { return l.Source != "" && l.Source != FromNowhere }

// Text is the limit with where it is from: "60.0 s ± 0.1 s (measured)".
func (l Limit) Text() string {
	switch {
	case !l.Known():
		return "not known"
	case l.Endless:
		return fmt.Sprintf("for ever (%s)", l.Source)
	case l.Source == FromWait:
		return fmt.Sprintf("at least %s (measured)", l.Value)
	case l.Uncertainty > 0:
		return fmt.Sprintf("%s ± %s (%s)", l.Value, l.Uncertainty, l.Source)
	}
	return fmt.Sprintf("%s (%s)", l.Value, l.Source)
}

// A Hop is one program of a chain. What it accepts has one limit, and what it opens
// towards the hop behind it another.
type Hop struct {
	Name     string `json:"name"`
	URL      string `json:"url,omitempty"`
	Server   string `json:"server,omitempty"`   // the field, as it calls itself
	Software string `json:"software,omitempty"` // of Softwares
	Accepts  Limit  `json:"accepts,omitzero"`   // towards who is before it
	Opens    Limit  `json:"opens,omitzero"`     // its pool, towards who is behind it
	// RTT is the round-trip time to it, as far as it could be seen or was told.
	RTT Trip `json:"rtt,omitzero"`
}

// A Trip is a round-trip time between two hops.
type Trip struct {
	Value profile.Duration `json:"ms"`
	// Told by the user; else seen from here, which may be elsewhere than the hop before.
	Told bool `json:"told,omitempty"`
}

// A Judgement is what is to be said of two limits that follow each other.
type Judgement string

const (
	Right    Judgement = "right"
	TooClose Judgement = "too close"
	Wrong    Judgement = "wrong"
	Unclear  Judgement = "not known"
)

// A Pair is a hop that opens connections and the one that accepts them.
//
// A pool's clock starts when the last byte of a response has come in, half a round
// trip after the server's; what the pool then sends takes another half. So the server
// sees a request that was sent after the time P no sooner than P plus a round trip
// after its own clock started, and has not given up by then if its limit S is longer:
// the margin S - P must be more than a round trip, and more than the doubt about both.
type Pair struct {
	Opener   string    `json:"opens"`
	Accepter string    `json:"accepts"`
	Pool     Limit     `json:"pool"`
	Server   Limit     `json:"server"`
	RTT      Trip      `json:"rtt,omitzero"`
	Verdict  Judgement `json:"verdict"`
	// Margin is the server's limit less the pool's, of a lower bound at least so much;
	// Trips is the same in round trips. Need is what it must be more than.
	Margin linger.Opt[profile.Duration] `json:"margin_ms,omitzero"`
	Trips  linger.Opt[float64]          `json:"margin_round_trips,omitzero"`
	Need   profile.Duration             `json:"need_ms"`
	Text   string                       `json:"text"`
	// Changes mend the pair, each by itself.
	Changes []Change `json:"changes,omitempty"`
	Notes   []string `json:"notes,omitempty"`
}

// A Change is one setting of one hop.
type Change struct {
	Hop      string           `json:"hop"`
	Side     Side             `json:"side"`
	Software string           `json:"software,omitempty"`
	Limit    profile.Duration `json:"limit_ms"` // that it sets
	Where    string           `json:"where,omitempty"`
	Write    string           `json:"write,omitempty"` // what to write there; empty of unknown software
	Text     string           `json:"text"`
}

// A Chain is the hops from the client to the application, and what follows.
type Chain struct {
	Format  string           `json:"format"`
	Linger  string           `json:"linger,omitempty"` // version of the program
	Hops    []Hop            `json:"hops"`
	Pairs   []Pair           `json:"pairs"`
	Verdict Judgement        `json:"verdict"` // the worst of the pairs
	Caveats []profile.Caveat `json:"doubts,omitempty"`
}

// Judge holds the hops of a chain against each other, the client's first.
func Judge(hops []Hop) Chain {
	hops = slices.Clone(hops)
	if len(hops) > 0 {
		// Nobody is before the first, nor behind the last.
		hops[0].Accepts, hops[len(hops)-1].Opens = Limit{}, Limit{}
	}
	c := Chain{Format: ChainFormat, Hops: hops, Verdict: Right}
	worst := map[Judgement]int{Right: 0, Unclear: 1, TooClose: 2, Wrong: 3}
	raised := profile.Duration(0) // what the last hop's pool becomes, where one setting is both sides'
	for i := 1; i < len(hops); i++ {
		pair := judge(hops[i-1], hops[i])
		raised = advise(&pair, hops[i-1], hops[i], raised)
		if worst[pair.Verdict] > worst[c.Verdict] {
			c.Verdict = pair.Verdict
		}
		c.Pairs = append(c.Pairs, pair)
	}
	return c
}

func judge(opener, accepter Hop) Pair {
	p := Pair{Opener: opener.Name, Accepter: accepter.Name, Pool: opener.Opens, Server: accepter.Accepts, RTT: accepter.RTT}
	p.Need = p.RTT.Value + p.Pool.Uncertainty + p.Server.Uncertainty
	margin := p.Server.Value - p.Pool.Value
	who := fmt.Sprintf("%s keeps idle connections %s, %s ends them after %s", opener.Name, p.Pool.Text(), accepter.Name, p.Server.Text())
	switch {
	case !p.Pool.Known():
		p.Verdict = Unclear
		p.Text = fmt.Sprintf("for how long %s keeps idle connections is not known%s; say %s, or which software it is",
			opener.Name, because(p.Pool), sayLimit(opener))
		return p
	case !p.Server.Known():
		p.Verdict = Unclear
		p.Text = fmt.Sprintf("after how long %s ends idle connections is not known%s", accepter.Name, because(p.Server))
		return p
	case p.Server.Endless:
		p.Verdict, p.Text = Right, who
		return p
	case p.Pool.Endless && p.Server.Source == FromWait:
		p.Verdict = Unclear
		p.Text = who + ": too long to be seen; raise --max-wait, or tell its limit"
		return p
	case p.Pool.Endless:
		p.Verdict = Wrong
		p.Text = who + ": a request may be sent on a connection that is being closed"
		return p
	}
	p.Margin = linger.Known(margin)
	if p.RTT.Value > 0 {
		p.Trips = linger.Known(math.Round(float64(margin)/float64(p.RTT.Value)*100) / 100)
	}
	switch {
	case margin > p.Need:
		p.Verdict, p.Text = Right, who
	case p.Server.Source == FromWait:
		p.Verdict = Unclear
		p.Text = who + ": too short a wait to tell; raise --max-wait"
	case margin <= 0 && -margin >= p.Pool.Uncertainty+p.Server.Uncertainty:
		p.Verdict = Wrong
		p.Text = who + ": a request may be sent on a connection that is being closed"
	default:
		p.Verdict = TooClose
		p.Text = fmt.Sprintf("%s: the margin is to be more than a round trip and the doubt about the limits, %s", who, p.Need)
	}
	return p
}

func because(l Limit) string {
	if l.Note == "" {
		return ""
	}
	return " (" + l.Note + ")"
}

// sayLimit is how the user tells the limit of a pool.
func sayLimit(h Hop) string {
	if h.Accepts.Source != "" || h.URL != "" {
		return h.Name + ".upstream=60s"
	}
	return h.Name + "=60s"
}

// headroom is the margin that is advised beyond a limit: twice what is needed, and
// not less than a tenth of the limit, since clocks tick and machines are late.
func headroom(limit, need profile.Duration, least time.Duration) time.Duration {
	return max(2*time.Duration(need), time.Duration(limit)/10, least)
}

// advise adds what mends a pair, and what is to be known of it. raised is what the
// pool's limit becomes by the advice on the pair before; what the accepter's pool
// becomes by this one's is returned, or 0.
func advise(p *Pair, opener, accepter Hop, raised profile.Duration) (next profile.Duration) {
	pool, poolKnown := DefaultOf(opener.Software, Opens)
	server, serverKnown := DefaultOf(accepter.Software, Accepts)
	if p.Pool.Soft {
		p.Notes = append(p.Notes, fmt.Sprintf("%s promises no limit: %s is what was seen once a load had ended", pool.Title, p.Pool.Value))
	}
	if p.Server.Soft {
		p.Notes = append(p.Notes, fmt.Sprintf("%s promises no limit: %s is what was seen", server.Title, p.Server.Value))
	}
	if p.Pool.Source == FromDefault && pool.Note != "" {
		p.Notes = append(p.Notes, pool.Title+": "+pool.Note)
	}
	if p.Server.Source == FromDefault && server.Note != "" {
		p.Notes = append(p.Notes, server.Title+": "+server.Note)
	}
	keeps := max(p.Pool.Value, raised)
	if raised > p.Pool.Value {
		p.Notes = append(p.Notes, fmt.Sprintf("%s has one setting for both its sides: as advised above it keeps connections %s", opener.Name, raised))
		if p.Verdict == Right && !p.Server.Endless && p.Server.Value-raised <= p.Need {
			p.Notes = append(p.Notes, "that would spoil this pair, which is right as it is")
		}
	}
	mend := p.Verdict == Wrong || p.Verdict == TooClose
	spoilt := p.Verdict == Right && raised > p.Pool.Value && !p.Server.Endless && p.Server.Value-raised <= p.Need
	if !mend && !spoilt {
		return 0
	}
	if !p.Pool.Endless {
		limit := server.Setting.up(time.Duration(keeps) + headroom(keeps, p.Need, time.Second))
		change := Change{Hop: accepter.Name, Side: Accepts, Software: server.Software, Limit: profile.Duration(limit), Where: server.Setting.Where}
		write, ok := server.Setting.For(limit)
		switch {
		case serverKnown && (server.Fixed || !ok):
		default:
			change.Write = write
			change.Text = change.text("raise", "over", keeps, server.Title)
			p.Changes = append(p.Changes, change)
			if server.Both {
				next = change.Limit
			}
		}
	}
	if spoilt {
		return next
	}
	if pool.Both {
		p.Notes = append(p.Notes, fmt.Sprintf("%s has one setting for both its sides: to lower it would lower what %s accepts, too", pool.Title, opener.Name))
		return next
	}
	limit := pool.Setting.down(time.Duration(p.Server.Value) - headroom(p.Server.Value, p.Need, min(time.Second, time.Duration(p.Server.Value)/2)))
	write, ok := pool.Setting.For(limit)
	if limit > 0 && (!poolKnown || ok && !pool.Fixed) {
		change := Change{Hop: opener.Name, Side: Opens, Software: pool.Software, Limit: profile.Duration(limit), Where: pool.Setting.Where, Write: write}
		change.Text = change.text("lower", "below", p.Server.Value, pool.Title)
		p.Changes = append(p.Changes, change)
	}
	if poolKnown && pool.Fixed && len(p.Changes) == 0 {
		p.Notes = append(p.Notes, fmt.Sprintf("neither side can be set: %s keeps connections %s whatever it is told", pool.Title, p.Pool.Value))
	}
	return next
}

func (c Change) text(verb, than string, limit profile.Duration, title string) string {
	what := "the idle limit of what " + c.Hop + " accepts"
	if c.Side == Opens {
		what = "the time that " + c.Hop + " keeps idle connections"
	}
	text := fmt.Sprintf("%s %s to %s, %s %s", verb, what, c.Limit, than, limit)
	if c.Write != "" {
		text += fmt.Sprintf("; in %s (%s): %s", title, c.Where, c.Write)
	}
	return text
}

// LimitOf is the limit that a probe has found: the shortest of the idle limits after
// a response, over all protocols that it watched, since a client may speak any.
func LimitOf(p *profile.Profile) Limit {
	var found []Limit
	why := "it was not measured"
	for _, protocol := range p.Protocols {
		t := protocol.AfterResponse
		switch t.State {
		case profile.Measured:
			l := Limit{Source: FromProbe, Value: t.Median, Note: fmt.Sprintf("%s, ended by %s", protocol.Name, t.Ending)}
			// The earliest end that was seen counts as much as how sure the median is.
			l.Uncertainty = max(t.Uncertainty, t.Median-t.Low)
			found = append(found, l)
		case profile.AtLeast:
			found = append(found, Limit{Source: FromWait, Value: t.Low, Note: protocol.Name})
		default:
			if t.Why != "" {
				why = t.Why
			}
		}
	}
	if len(found) == 0 {
		return Limit{Source: FromNowhere, Note: why}
	}
	least := found[0]
	for _, l := range found[1:] {
		// A limit that was seen counts before one that is longer than the waiting.
		if l.Source == least.Source && l.Value < least.Value || l.Source == FromProbe && least.Source == FromWait {
			least = l
		}
	}
	return least
}

// LimitFrom is the limit that a program has by default on one side.
func LimitFrom(software string, side Side) Limit {
	d, ok := DefaultOf(software, side)
	switch {
	case !ok:
		return Limit{Source: FromNowhere, Note: "no default of it is known"}
	case d.Endless:
		return Limit{Source: FromDefault, Endless: true}
	case d.Limit == 0:
		return Limit{Source: FromNowhere, Note: d.Note}
	}
	return Limit{Source: FromDefault, Value: profile.Duration(d.Limit), Soft: d.Soft}
}
