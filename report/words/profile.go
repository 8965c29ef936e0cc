package words

import (
	"fmt"
	"time"

	"linger/finding"
	"linger/profile"
)

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
