package words

import (
	"fmt"
	"strings"

	"linger"
	"linger/compare"
	"linger/compare/difference"
	"linger/finding"
	"linger/keepalive"
	"linger/profile"
)

// A caveat is one on its way to a sentence, which has no full stop.
type caveat struct{ finding.Caveat }

// A reason is the code of a caveat, with its cause where it has several.
type reason struct{ code, cause string }

// caveats are the sentences by code and cause.
func caveats() map[reason]func(caveat) string {
	return map[reason]func(caveat) string{
		{compare.Bytes, compare.CauseStray}:     strayExchange,
		{compare.Bytes, compare.CauseWrongSize}: wrongSize,
		{compare.Bytes, compare.CauseMissing}:   missingExchanges,
		{compare.Bytes, compare.CauseCarried}:   carriedLess,
		{compare.Changed, ""}:                   objectsChanged,

		{compare.Failed, compare.CauseExchanges}: failedExchanges,
		{compare.Failed, compare.CauseTrials}:    failedTrials,
		{compare.Failed, compare.CauseAll}:       allFailed,
		{compare.Failed, compare.CauseRanked}:    failedRanked,
		{compare.Failed, compare.CauseZeroRTT}:   failedZeroRTT,
		{compare.Interrupted, ""}:                interrupted,

		{compare.NotHonoured, compare.CauseClosed}:          serverClosed,
		{compare.NotHonoured, compare.CauseSurplus}:         spoilt,
		{compare.NotHonoured, compare.CauseReused}:          reused,
		{compare.NotHonoured, compare.CauseLeftOpen}:        leftOpen,
		{compare.NotHonoured, compare.CauseSerial}:          neverParallel,
		{compare.NotHonoured, compare.CauseOneStream}:       oneStream,
		{compare.NotHonoured, compare.CauseNoStream}:        noStream,
		{compare.NotHonoured, compare.CauseProtocol}:        otherProtocol,
		{compare.NotHonoured, compare.CauseNotResumed}:      notResumed,
		{compare.NotHonoured, compare.CauseEarlyRejected}:   earlyRejected,
		{compare.NotHonoured, compare.CauseEarlyUnsent}:     earlyUnsent,
		{compare.NotHonoured, compare.CauseFastOpenRefused}: fastOpenRefused,
		{compare.NotHonoured, compare.CauseFastOpenUnknown}: fastOpenUnknown,

		{compare.Sequential, ""}: func(caveat) string {
			return "requests follow one another: more connections, pipelining and multiplexing change nothing"
		},
		{compare.Retries, compare.CauseClosed}:  retriedAsClosed,
		{compare.Retries, compare.CauseRefused}: retriedAsRefused,

		{compare.Ledger, compare.CauseNobody}: func(caveat) string {
			return "nobody counted packets and bytes on the link; connections and handshakes are the client's"
		},
		{compare.Ledger, compare.CausePart}:     notAlwaysCounted,
		{compare.Ledger, compare.CauseOverflow}: overflowed,
		{compare.Late, compare.CauseLate}:       late,
		{compare.Late, compare.CauseExplains}:   lateExplains,
		{compare.Retransmitted, ""}:             retransmitted,

		{compare.Trials, compare.CauseFew}:          tooFew,
		{compare.Trials, difference.CauseFewOfBoth}: fewOfBoth,
		{compare.Confidence, compare.CauseOne}:      noInterval,
		{compare.Confidence, compare.CauseLow}:      lowConfidence,
		{compare.Overlap, compare.CauseTest}:        notToldApart,
		{compare.Overlap, compare.CauseIntervals}:   intervalsOverlap,
		{compare.Stacks, ""}:                        stacks,
		{compare.Clients, ""}:                       clients,
		{compare.Trips, compare.CauseNoZeroRTT}:     tripsUnknown,
		{compare.Trips, compare.CauseLost}:          tripsLost,
		{compare.Trips, compare.CauseOne}:           tripsOnce,
		{compare.Trips, compare.CauseRanked}:        tripsOpen,
		{compare.Trips, compare.CauseNoisy}:         tripsNoisy,

		{difference.OtherEngine, ""}:                         otherEngine,
		{difference.OtherScenario, difference.CauseWorkload}: otherWorkload,
		{difference.OtherScenario, difference.CauseContent}:  otherContent,
		{difference.OtherScenario, difference.CauseNetwork}:  otherNetwork,
		{difference.OtherScenario, difference.CauseSeed}:     otherSeed,
		{difference.OtherTrials, difference.CauseOther}:      otherTrials,

		{profile.EndedEarly, ""}:     endedEarly,
		{profile.RateLimited, ""}:    rateLimited,
		{profile.RefusedAtTimes, ""}: refusedAtTimes,
		{profile.Busy, ""}:           busy,
		{profile.EndedByError, ""}:   endedByError,
		{keepalive.SeenFromHere, ""}: seenFromHere,
	}
}

// Caveat is a caveat as a sentence, without its full stop.
func Caveat(c finding.Caveat) string { return Caveats([]finding.Caveat{c})[0] }

// Caveats are several.
func Caveats(list []finding.Caveat) []string {
	table := caveats()
	out := make([]string, len(list))
	for i, c := range list {
		key := reason{c.Code, c.Cause}
		if say, ok := table[key]; ok {
			out[i] = say(caveat{c})
		} else if say, ok := cautionsOfCrowds()[key]; ok {
			out[i] = say(caveat{c})
		} else {
			out[i] = asData(c.Code, c.Cause, c.Subject, c.Figures)
		}
	}
	return out
}

// about begins what is about one strategy.
func (d caveat) about(format string, args ...any) string {
	return d.Subject.Name + ": " + fmt.Sprintf(format, args...)
}

// n is a count.
func (d caveat) n(name string) string { return whole(d.Figures.Value(name).Or(0)) }

// many is a count with what is counted: "3 trials".
func (d caveat) many(name, word string) string {
	return finding.Plural(d.Figures.Value(name).Or(0), word)
}

// text is a word.
func (d caveat) text(name string) string { return d.Figures.Text(name) }

// strategies lists those that it is about.
func (d caveat) strategies() string { return list(d.names()) }

func (d caveat) names() []string {
	var out []string
	for _, f := range d.Figures.All("strategy") {
		out = append(out, f.Text)
	}
	return out
}

// counts lists a count of each strategy: "close 3, keep 5".
func (d caveat) counts(name string) string {
	var out []string
	for _, f := range d.Figures.All(name) {
		out = append(out, f.Of+" "+whole(f.Value.Or(0)))
	}
	return strings.Join(out, ", ")
}

// reasons lists what others said, with how often: "5× reset, 2 other reasons".
func (d caveat) reasons() string {
	var out []string
	for _, f := range d.Figures.All("reason") {
		why := f.Text
		if why == compare.NoReason {
			why = "no reason given"
		}
		out = append(out, whole(f.Value.Or(0))+"× "+why)
	}
	if rest, ok := d.Figures.Value("other_reasons").Get(); ok {
		out = append(out, finding.Plural(rest, "other reason"))
	}
	return strings.Join(out, ", ")
}

// dns reports whether names were looked up.
func (d caveat) dns() bool { return d.text("scheme") == linger.SchemeDNS }

// bytes is what is wrong with the first of the trials that contradict the workload.
func (d caveat) bytes(format string, args ...any) string {
	return d.about("the bytes of %s of %s do not add up; trial %s %s", d.n("wrong"), d.many("trials", "trial"), d.n("trial"), fmt.Sprintf(format, args...))
}

func strayExchange(d caveat) string {
	return d.bytes("has a request %s that the workload does not have, or has it twice", d.n("exchange"))
}

func wrongSize(d caveat) string {
	return d.bytes("delivered %s bytes of request %s, which has %s", d.n("delivered"), d.n("exchange"), d.n("size"))
}

func missingExchanges(d caveat) string {
	return d.bytes("says nothing of %s", d.many("missing", "request"))
}

func carriedLess(d caveat) string {
	return d.bytes("had %s bytes up and %s down at HTTP, but the link carried %s and %s", d.n("http_up"), d.n("http_down"), d.n("link_up"), d.n("link_down"))
}

func objectsChanged(d caveat) string {
	return d.about("%s of %s had another size than at the first visit; the loads had %s to %s bytes, not %s",
		d.n("changed"), d.many("objects", "object"), d.n("least"), d.n("most"), d.n("first_visit"))
}

func failedExchanges(d caveat) string {
	what := "request"
	if d.dns() {
		what = "query"
	}
	return d.about("%s failed in %s of %s (%s)", d.many("failed", what), d.n("failed_trials"), d.many("trials", "trial"), d.reasons())
}

func failedTrials(d caveat) string {
	return d.about("%s of %s gave no trace (%s)", d.many("failed_trials", "trial"), d.n("trials"), d.reasons())
}

func allFailed(d caveat) string {
	return d.about("no trial delivered the whole workload, so it has no time, and its counts are of what was delivered")
}

func failedRanked(d caveat) string {
	says := "so the interval of its time may be open above"
	if f, ok := d.Figures.Get("at_least"); ok {
		says = "so the median of its time is not known"
		if v, ok := f.Value.Get(); ok {
			says += ", but at least " + finding.Duration(v, 0)
		}
	}
	return d.about("%s of %s failed and %s as longer than any that did not, %s; its other figures are of the trials that delivered everything",
		d.n("failed_trials"), d.many("trials", "trial"), verb(int(d.Figures.Value("failed_trials").Or(0)), "counts", "count"), says)
}

func failedZeroRTT(d caveat) string {
	return d.about("%s of %s without delay failed (%s); round trips rest on the others", d.n("failed_trials"), d.many("trials", "trial"), d.reasons())
}

func interrupted(d caveat) string {
	return fmt.Sprintf("stopped before the end: %s of %s planned trials were run, and not all that measure round trips", d.n("ended"), d.n("planned"))
}

func serverClosed(d caveat) string {
	times := "once"
	if n := d.Figures.Value("closed").Or(0); n != 1 {
		times = whole(n) + " times"
	}
	return d.about("the server closed kept connections %s before the load had ended (%s)", times, d.reasons())
}

func spoilt(d caveat) string {
	return d.about("bytes behind a response that no request had asked for made the client let %s go (%s)", d.many("connections", "connection"), d.reasons())
}

func reused(d caveat) string {
	return d.about("%s carried more than one request", d.many("connections", "connection"))
}

func leftOpen(d caveat) string {
	return d.about("the server left %s open although asked to close", d.many("connections", "connection"))
}

func neverParallel(d caveat) string {
	return d.about("requests never overlapped, so this is one request at a time")
}

func oneStream(d caveat) string {
	return d.about("the server allows one stream at once (%s), so that requests are serialized", d.many("connections", "connection"))
}

func noStream(d caveat) string {
	return d.about("the server allowed no stream for a time (%s), and requests had to wait", d.many("connections", "connection"))
}

func otherProtocol(d caveat) string {
	return d.about("%s was not spoken on every connection (%s)", d.text("expected"), d.reasons())
}

func notResumed(d caveat) string {
	was := "were"
	if d.Figures.Value("refused").Or(0) == 1 {
		was = "was"
	}
	return d.about("%s of %s that might have been resumed %s made in full", d.n("refused"), d.many("connections", "TLS handshake"), was)
}

func earlyRejected(d caveat) string {
	return d.about("the server rejected the early data of %s of %s", d.n("refused"), d.many("connections", "connection"))
}

func earlyUnsent(d caveat) string {
	return d.about("no early data was sent on %s of %s", d.n("refused"), d.many("connections", "connection"))
}

func fastOpenRefused(d caveat) string {
	return d.about("TCP fell back to its handshake without data on %s of %s", d.n("refused"), d.many("connections", "connection"))
}

func fastOpenUnknown(d caveat) string {
	return d.about("whether data went with the SYN is not known of %s of %s", d.n("refused"), d.many("connections", "connection"))
}

func retriedAsClosed(d caveat) string {
	standard := "RFC 9112, 9.3.1"
	if d.dns() {
		standard = "RFC 7766, 6.2.4"
	}
	return fmt.Sprintf("requests repeated, as a kept connection had been closed meanwhile (%s): %s, in all trials", standard, d.counts("retries"))
}

func retriedAsRefused(d caveat) string {
	standard := "RFC 9113, 6.8; RFC 9114, 5.2"
	if d.dns() {
		standard = "RFC 7766, 6.2.4; RFC 9250, 4.3"
	}
	return fmt.Sprintf("requests repeated, as the server refused them or was closing the connection (%s): %s, in all trials", standard, d.counts("retries"))
}

func notAlwaysCounted(d caveat) string {
	return d.strategies() + ": packets and bytes were not counted in every trial"
}

func overflowed(d caveat) string {
	return d.strategies() + ": more connections than the link's ledger holds; packets and bytes are of the trials where all fitted"
}

func late(d caveat) string {
	var out []string
	for _, f := range d.Figures.All("lateness_p99") {
		out = append(out, f.Of+" "+finding.Duration(f.Value.Or(0), 0))
	}
	return fmt.Sprintf("emulator delay jitter (p99) is over %s of the round-trip time: %s",
		finding.Share(d.Figures.Value("limit").Or(0)), strings.Join(out, ", "))
}

func lateExplains(d caveat) string {
	return fmt.Sprintf("emulator delay jitter could explain all that %s took longer than %s", d.strategies(), d.text("best"))
}

func retransmitted(d caveat) string {
	return fmt.Sprintf("more packets were retransmitted than the link dropped: %s, over all trials", d.counts("retransmitted"))
}

func tooFew(d caveat) string {
	more := ""
	if _, ok := d.Figures.Get("enough"); ok {
		more = fmt.Sprintf("; give --trials %s or more", d.n("enough"))
	}
	return fmt.Sprintf("%s: %s can never show a statistically significant difference%s", d.strategies(), d.many("trials", "trial"), more)
}

func noInterval(d caveat) string {
	return d.strategies() + ": one trial has no interval; give --trials 6 or more for one of 95 %"
}

func lowConfidence(d caveat) string {
	return fmt.Sprintf("%s: the interval is of %.3g %% confidence; give --trials 6 or more for 95 %%", d.strategies(), 100*d.Figures.Value("confidence").Or(0))
}

func notToldApart(d caveat) string {
	return fmt.Sprintf("%s, the two fastest, cannot be told apart (p = %.2g)", d.strategies(), d.Figures.Value("p").Or(1))
}

func intervalsOverlap(d caveat) string {
	return fmt.Sprintf("the intervals of %s, the two fastest, overlap", d.strategies())
}

func stacks(d caveat) string {
	return fmt.Sprintf("QUIC swaps the stack too: it is %s, TCP the kernel's (10 packets)", d.text("stack"))
}

func clients(d caveat) string {
	return fmt.Sprintf("%s parses, decodes and draws what it fetches, and has priorities of its own: between its rows and linger's that is part of the difference", d.text("agent"))
}

func tripsUnknown(d caveat) string {
	why := d.reasons()
	if why != "" {
		why = " (" + why + ")"
	}
	return fmt.Sprintf("%s: no trial without delay, so the round trips are not known%s", d.strategies(), why)
}

// off lists by how much the round trips of each strategy may be off, where that is known.
func (d caveat) off() string {
	var out []string
	for _, f := range d.Figures.All("round_trips_uncertainty") {
		s := f.Of
		if v, ok := f.Value.Get(); ok {
			s += " ± " + finding.Fixed(v, finding.Decimals(v, 1))
		}
		out = append(out, s)
	}
	return strings.Join(out, ", ")
}

func tripsLost(d caveat) string {
	var names []string
	for _, f := range d.Figures.All("round_trips_uncertainty") {
		names = append(names, f.Of)
	}
	return "the round trips are lost in the noise, and not known: " + strings.Join(names, ", ")
}

func tripsOnce(d caveat) string {
	return d.strategies() + ": a single trial, so how far off the round trips are is not known"
}

func tripsOpen(d caveat) string {
	return d.strategies() + ": trials failed, so how many more the round trips may be is not known"
}

func tripsNoisy(d caveat) string { return "the round trips are within the noise: " + d.off() }
