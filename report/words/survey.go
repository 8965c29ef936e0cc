package words

import (
	"cmp"
	"fmt"
	"math"
	"strings"

	"linger"
	"linger/compare"
	"linger/finding"
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
	return fmt.Sprintf("On %s %s cannot tell what keep-alive saves or costs from noise.", t.many("luck_on", "network"), t.trials())
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
func Reason(r compare.Reason) string {
	return r.Strategy + ": " + cmp.Or(r.Cause, undelivered(float64(r.Failed), float64(r.Trials)))
}

// Unfit is why a strategy is not compared with the others on a path, empty where it is.
func Unfit(r compare.Swept) string {
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
