package words

import (
	"cmp"
	"fmt"
	"math"
	"strings"
	"time"

	"linger"
	"linger/compare/crowdsweep"
	"linger/compare/sweep"
	"linger/finding"
	"linger/profile"
)

// n is a count.
func (t teller) n(name string) string { return whole(t.Figures.Value(name).Or(0)) }

// many is a count with what is counted: "3 networks".
func (t teller) many(name, word string) string {
	return finding.Plural(t.Figures.Value(name).Or(0), word)
}

// margin is what counts as a difference.
func (t teller) margin() string { return finding.Share(t.Figures.Value("margin").Or(0)) }

// on lists on how many networks something holds of each strategy: "h2 on 12".
func on(figures finding.Figures) []string {
	var out []string
	for _, f := range figures {
		out = append(out, f.Of+" on "+whole(f.Value.Or(0)))
	}
	return out
}

func noneDelivered(t teller) string {
	return fmt.Sprintf("No strategy delivered everything on any of %s.", t.many("paths", "network"))
}

func fastestOn(t teller) string {
	wins := t.Figures.All("fastest_on")
	of := func(say string, wins finding.Figures) string {
		first := nth(wins, 0)
		parts := []string{fmt.Sprintf("%s %s on %s of %s", first.Of, say, whole(first.Value.Or(0)), t.many("paths", "network"))}
		return strings.Join(append(parts, on(wins[min(1, len(wins)):])...), ", ")
	}
	close := t.Figures.Value("too_close_on").Or(0)
	switch clear := t.Figures.All("clear_on"); {
	case close == 0:
		return of("is fastest", wins) + "."
	case len(clear) == 0:
		return "No strategy is clearly fastest on any network; " + of("has the least median", wins) + "."
	case close == 1:
		return of("is clearly fastest", clear) + "; 1 is too close to call."
	default:
		return of("is clearly fastest", clear) + "; " + whole(close) + " are too close to call."
	}
}

func keepingSavesOn(t teller) string {
	s := "The best with keep-alive beats the best without on " + t.n("saves_on")
	if t.Figures.Value("saves_on") == t.Figures.Value("known") {
		s = "The best with keep-alive beats the best without on all of them"
	}
	if median, ok := t.Figures.Value("median").Get(); ok {
		s += "; median saving " + finding.Share(median)
	}
	return s + "."
}

func nearFastestOn(t teller) string {
	return fmt.Sprintf("Within %s of the fastest, or the fastest itself: %s.", t.margin(), strings.Join(on(t.Figures.All("near_on")), ", "))
}

func mostSaved(t teller) string {
	kept, closed := t.times()
	return fmt.Sprintf("The largest saving is %s at %s: %s takes %s, %s takes %s.", almost(t.Figures.Value("saves").Or(0)), t.where(), kept.Of, took(kept), closed.Of, took(closed))
}

func noneSame(t teller) string {
	return fmt.Sprintf("On no network are the fastest with and the fastest without keep-alive within %s of each other.", t.margin())
}

func sameOn(t teller) string {
	return fmt.Sprintf("Keep-alive makes no difference (at most %s between the fastest with it and the fastest without) on %s of %s.", t.margin(), t.n("same_on"), t.n("paths"))
}

func borderAt(t teller) string {
	// Each rate is followed by the round-trip time that belongs to it.
	var beyond, never []string
	rates := t.Figures.All("down")
	for i, f := range t.Figures.All("beyond_rtt") {
		rate := rateOf(nth(rates, i).Value.Or(0))
		if v, ok := f.Value.Get(); ok {
			beyond = append(beyond, fmt.Sprintf("beyond %s ms at %s", finding.Setting(v), rate))
		} else {
			never = append(never, rate)
		}
	}
	var parts []string
	if len(beyond) > 0 {
		parts = append(parts, "it begins to make a difference "+strings.Join(beyond, ", "))
	}
	if len(never) > 0 {
		parts = append(parts, "it makes none at any RTT at "+strings.Join(never, ", "))
	}
	at := "Without loss"
	if loss := t.Figures.Value("loss").Or(0); loss > 0 {
		at = "At " + finding.Setting(100*loss) + " % loss"
	}
	return at + " " + strings.Join(parts, "; ") + "."
}

func keepingCostsOn(t teller) string {
	return fmt.Sprintf("On %s keep-alive costs time: the fastest without it beats the fastest with it by more than %s.", t.many("costs_on", "network"), t.margin())
}

func luckOn(t teller) string {
	return fmt.Sprintf("On %s %s cannot tell what keep-alive saves or costs from noise.", t.many("noise_on", "network"), t.trials())
}

func unknownOn(t teller) string {
	return fmt.Sprintf("Not known on %s: %s: %s.", t.many("unknown_on", "network"), t.Subject.Name,
		cmp.Or(t.Figures.Text("cause"), undelivered(t.Figures.Value("failed").Or(0), t.Figures.Value("trials").Or(0))))
}

func moreReasons(t teller) string {
	return fmt.Sprintf("%s more reasons stand in the JSON.", t.n("more"))
}

func uncovered(t teller) string {
	f := t.Figures
	return fmt.Sprintf("%s of %s lie outside the range in which predictions were checked against measurements (RTT %s to %s ms, %s to %s, up to %s loss).",
		t.n("uncovered"), t.many("paths", "network"), t.n("rtt_from"), t.n("rtt_to"), rateOf(f.Value("rate_from").Or(0)), rateOf(f.Value("rate_to").Or(0)), finding.Share(f.Value("loss_to").Or(0)))
}

func stopped(t teller) string {
	return fmt.Sprintf("Interrupted: only the first %s of %s networks are covered.", t.n("paths"), t.n("planned"))
}

// undelivered says that some trials of a strategy did not deliver everything.
func undelivered(failed, trials float64) string {
	return fmt.Sprintf("%s of %s did not deliver everything", whole(failed), finding.Plural(trials, "trial"))
}

// Reason is why something is not known on some paths.
func Reason(r sweep.Reason) string {
	return r.Strategy + ": " + cmp.Or(r.Cause, undelivered(float64(r.Failed), float64(r.Trials)))
}

// Unfit is why a strategy is not compared with the others on a path, empty where it is.
func Unfit(r sweep.Row) string {
	if r.Reason != "" || r.Failed == 0 {
		return r.Reason
	}
	return undelivered(float64(r.Failed), float64(r.Trials))
}

// almost writes a share in whole per cent; what is not all is not written as 100 %.
func almost(v float64) string {
	if v < 1 && v >= 0.995 {
		return "over 99 %"
	}
	return finding.Share(v)
}

// where names a network by what it is: "70 ms, 12 Mbit/s, 1 % loss".
func (t teller) where() string {
	s := t.Figures.Text("network")
	if s == "" {
		s = finding.Setting(t.Figures.Value("rtt").Or(0)) + " ms, " + rateOf(t.Figures.Value("down").Or(0))
	}
	if loss := t.Figures.Value("loss").Or(0); loss > 0 {
		s += ", " + finding.Setting(100*loss) + " % loss"
	}
	return s
}

// rateOf is a rate in kbit/s, with its unit.
func rateOf(kbps float64) string {
	return linger.Rate(math.Round(kbps * float64(linger.Kbps))).String()
}

// CrowdSurvey is what a sweep of crowds found.
func CrowdSurvey(v crowdsweep.Survey) Text { return text(v.Findings) }

// Think names the time between two pages: "5 s", "4 s to 6 s", "5 s on average".
func Think(name string) string {
	t, err := linger.ParseThink(name)
	lasting := func(d time.Duration) string { return finding.Lasting(float64(d) / float64(time.Millisecond)) }
	switch {
	case err != nil:
		return name
	case t.Random:
		return lasting(t.Least) + " on average"
	case t.Most > t.Least:
		return lasting(t.Least) + " to " + lasting(t.Most)
	}
	return lasting(t.Least)
}

// IdleTimeout names an idle timeout in ms, of which 0 is no limit.
func IdleTimeout(ms float64) string {
	if ms == 0 {
		return "none"
	}
	return finding.Lasting(ms)
}

// thinking says of which think time a finding is.
func (t teller) thinking() string {
	if t.Subject.Name == "" {
		return "with any of the think times"
	}
	return "with " + Think(t.Subject.Name) + " between pages"
}

func servesBest(t teller) string {
	parts := t.Figures.All("serves")
	var told []string
	for i, part := range parts {
		var own finding.Figures
		for _, f := range t.Figures {
			if f.Of == part.Of {
				own = append(own, f)
			}
		}
		from, to := whole(own.Value("from").Or(0)), whole(own.Value("to").Or(0))
		var s string
		switch {
		case len(parts) == 1 && from == to:
			s = "for " + finding.Plural(own.Value("to").Or(0), "client")
		case len(parts) == 1:
			s = "for " + from + " to " + to + " clients"
		case i == 0:
			s = "up to " + finding.Plural(own.Value("to").Or(0), "client")
		case i == len(parts)-1:
			s = "from " + from + " on"
		case from == to:
			s = "for " + from
		default:
			s = "from " + from + " to " + to
		}
		told = append(told, s+" "+servedBy(own, part.Text))
	}
	return "Best " + t.thinking() + ": " + strings.Join(told, "; ") + "."
}

// servedBy says what serves best: "keep:6 with idle timeout ≤ 1 s, or close:6".
func servedBy(f finding.Figures, what string) string {
	kept := f.Text("keep") + timeouts(f)
	switch what {
	case crowdsweep.OnlyKeep:
		return kept
	case crowdsweep.OnlyClose:
		return f.Text("close")
	case crowdsweep.Either:
		return kept + ", or " + f.Text("close")
	}
	return "none, since no choice serves every page"
}

// timeouts says with which idle timeouts.
func timeouts(f finding.Figures) string {
	least, most := f.Value("least").Or(0), f.Value("most").Or(0)
	switch kind := f.Text("timeouts"); {
	case kind == crowdsweep.TimeoutAny:
		return " with any idle timeout"
	case least == 0:
		return " without an idle timeout"
	case kind == crowdsweep.TimeoutAtMost:
		return " with idle timeout ≤ " + finding.Lasting(most)
	case kind == crowdsweep.TimeoutAtLeast && most == 0:
		return " with idle timeout ≥ " + finding.Lasting(least) + " or none"
	case kind == crowdsweep.TimeoutAtLeast:
		return " with idle timeout ≥ " + finding.Lasting(least)
	case least == most:
		return " with idle timeout " + finding.Lasting(least)
	}
	return " with idle timeout " + finding.Lasting(least) + " to " + finding.Lasting(most)
}

// withIdle names a choice: "keep:6 with an idle timeout of 1 s".
func withIdle(f finding.Figures, of string) string {
	var own finding.Figures
	for _, x := range f {
		if x.Of == of {
			own = append(own, x)
		}
	}
	name := own.Text("strategy")
	if ms, ok := own.Value("timeout").Get(); ok && ms == 0 {
		name += " without an idle timeout"
	} else if ok {
		name += " with an idle timeout of " + finding.Lasting(ms)
	}
	p95 := own.Value("page_p95").Or(0)
	return name + " takes " + finding.Duration(p95, p95/100)
}

func oneTimeout(t teller) string {
	of := t.many("crowds", "crowd")
	if ms := t.Figures.Value("timeout").Or(0); ms == 0 {
		return fmt.Sprintf("One setting for all: no idle timeout is the best, or as good, for kept connections in %s of %s; in %s nothing serves better.", t.n("kept_on"), of, t.n("best_on"))
	}
	return fmt.Sprintf("One setting for all: an idle timeout of %s is the best, or as good, for kept connections in %s of %s; in %s nothing serves better.",
		finding.Lasting(t.Figures.Value("timeout").Or(0)), t.n("kept_on"), of, t.n("best_on"))
}

func worstChoice(t teller) string {
	return fmt.Sprintf("The choice matters most for %s with %s between pages: by p95 of the page time, %s, and %s.",
		t.many("clients", "client"), Think(t.Figures.Text("think")), withIdle(t.Figures, "best"), withIdle(t.Figures, "worst"))
}

func heldBy(t teller) string {
	// Idle timeouts with which as many clients hold all of them are told together.
	idle, clients := t.Figures.All("timeout"), t.Figures.All("clients")
	from := func(i int) string { return whole(math.Ceil(clients[i].Value.Or(0) - 1e-9)) }
	var parts []string
	for i := 0; i < len(clients); {
		first := nth(idle, i).Value.Or(0)
		j := i + 1
		for j < len(clients) && from(j) == from(i) {
			j++
		}
		last := nth(idle, j-1).Value.Or(0)
		with := "with an idle timeout of " + finding.Lasting(first)
		switch {
		case first == 0:
			with = "without an idle timeout"
		case last == 0:
			with += " or longer, or none"
		case j == len(clients) && j > i+1:
			with += " or longer"
		case j > i+1:
			with += " to " + finding.Lasting(last)
		}
		parts = append(parts, "from "+from(i)+" clients on "+with)
		i = j
	}
	return fmt.Sprintf("W%s, %s holds all %s by Little's law %s.", t.thinking()[1:], t.Figures.Text("strategy"), t.many("limit", "connection"), strings.Join(parts, ", "))
}

func saturated(t teller) string {
	at, least := t.Figures.Value("page_p95").Or(0), t.Figures.Value("page_p95_fewest").Or(0)
	s := fmt.Sprintf("From %s on %s, clients wait whatever is chosen: at best p95 of a page is %s, with %s %s",
		t.many("clients", "client"), t.thinking(), finding.Duration(at, at/100), t.many("fewest", "client"), finding.Duration(least, least/100))
	if share := t.Figures.Value("kept_out").Or(0); share > crowdsweep.MayWait {
		s += fmt.Sprintf("; %s of the clients wait for the server", finding.Share(share))
	}
	return s + "."
}

func tuneAgrees(t teller) string {
	lasting := finding.Lasting(t.Figures.Value("break_even").Or(0))
	agree, both := t.Figures.Value("agree_on").Or(0), t.Figures.Value("both_on").Or(0)
	if agree == both {
		return fmt.Sprintf("The rule of linger tune (to open a connection costs as much as to hold one for %s) chooses an idle timeout that serves as well, in each of %s.", lasting, finding.Plural(both, "crowd"))
	}
	return fmt.Sprintf("The rule of linger tune (to open a connection costs as much as to hold one for %s) chooses an idle timeout that serves as well in %s of %s; it counts connections, not how long pages take.",
		lasting, whole(agree), finding.Plural(both, "crowd"))
}

func noneServes(t teller) string {
	return fmt.Sprintf("In %s of %s pages fail or do not end, whatever is chosen.", t.n("none_on"), t.many("crowds", "crowd"))
}

func beyondBudget(t teller) string {
	return fmt.Sprintf("In %s of %s every choice holds more than %s.", t.n("beyond_on"), t.many("crowds", "crowd"), t.many("budget", "connection"))
}

func stoppedAt(t teller) string {
	return fmt.Sprintf("Interrupted: only the first %s of %s crowds are covered.", t.n("crowds"), t.n("planned"))
}

// OfCrowdSurvey says what a sweep of crowds found.
func OfCrowdSurvey(v crowdsweep.Survey) ToldCrowdSurvey {
	return ToldCrowdSurvey{v, CrowdSurvey(v).String(), v.Findings}
}

// A ToldCrowdSurvey is what a sweep of crowds found, with its text.
type ToldCrowdSurvey struct {
	crowdsweep.Survey
	Text     string            `json:"text"`
	Findings []finding.Finding `json:"findings"`
}

// A ToldProfile is a server's connection policy with its sentences, as JSON has it.
type ToldProfile struct {
	*profile.Profile
	Caveats []ToldCaveat `json:"caveats,omitempty"`
}

// OfProfile says what was found of a server.
func OfProfile(p *profile.Profile) ToldProfile { return ToldProfile{p, OfCaveats(p.Caveats)} }

// A ToldProbed is one line of a list of servers with its sentences.
type ToldProbed struct {
	profile.Probed
	Profile *ToldProfile `json:"policy,omitempty"`
	Failed  string       `json:"error,omitempty"`
}

// OfProbed says what became of each line of a list of servers.
func OfProbed(list []profile.Probed) []ToldProbed {
	out := make([]ToldProbed, len(list))
	for i, one := range list {
		out[i] = ToldProbed{Probed: one, Failed: one.Failed}
		if one.Profile != nil {
			told := OfProfile(one.Profile)
			out[i].Profile = &told
		}
	}
	return out
}

func endedEarly(d caveat) string {
	after := time.Duration(d.Figures.Value("after").Or(0) * float64(time.Millisecond))
	return fmt.Sprintf("the probe was stopped after %s: some figures are missing", after)
}

func rateLimited(d caveat) string {
	to := ""
	if asked, ok := d.Figures.Value("asked").Get(); ok {
		to = fmt.Sprintf(" to %s of %s", d.n("refused"), finding.Plural(asked, "ordinary request"))
	}
	return fmt.Sprintf("the server answered %s%s: it limits the request rate, and no more was sent to it", d.n("status"), to)
}

func refusedAtTimes(d caveat) string {
	return fmt.Sprintf("the server answered %s to %s of %s, which were retried after a pause", d.n("status"), d.n("refused"), d.many("asked", "ordinary request"))
}

func endedByError(d caveat) string {
	return fmt.Sprintf("the server ended a connection of %s with an error after %s: %s; that is no request limit", d.Subject.Name, d.many("requests", "request"), d.text("closing"))
}

func busy(d caveat) string {
	return fmt.Sprintf("this machine was busy: timers fired up to %s ms late, and times may be off by as much", d.n("late"))
}

func seenFromHere(caveat) string {
	return "RTTs were measured from here, not from the hop before; state others with NAME.rtt=20ms"
}
