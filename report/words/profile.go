package words

import (
	"fmt"
	"time"

	"linger/finding"
	"linger/keepalive"
	"linger/profile"
)

// A ToldProfile is a server's connection policy with its sentences, as JSON has it.
type ToldProfile struct {
	*profile.Profile
	Doubts []ToldCaveat `json:"doubts,omitempty"`
}

// OfProfile says what was found of a server.
func OfProfile(p *profile.Profile) ToldProfile { return ToldProfile{p, ofCaveats(p.Caveats)} }

// A ToldProbed is one line of a list of servers with its sentences.
type ToldProbed struct {
	profile.Probed
	Profile *ToldProfile `json:"policy,omitempty"`
	Failed  string       `json:"error,omitempty"`
}

// OfSurvey says what became of each line of a list of servers.
func OfSurvey(list []profile.Probed) []ToldProbed {
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

// A ToldCaveat is a caveat with its sentence.
type ToldCaveat struct {
	Code    string          `json:"code"`
	Text    string          `json:"text"`
	Cause   string          `json:"cause,omitempty"`
	Subject finding.Subject `json:"subject,omitzero"`
	Figures finding.Figures `json:"figures,omitempty"`
}

func ofCaveats(list []finding.Caveat) []ToldCaveat {
	var out []ToldCaveat
	for _, c := range list {
		out = append(out, ToldCaveat{c.Code, ServerCaveat(c), c.Cause, c.Subject, c.Figures})
	}
	return out
}

// ServerCaveat says why figures of a probe, or of a chain, may be doubted.
func ServerCaveat(c finding.Caveat) string {
	figure := func(name string) float64 { return c.Figures.Value(name).Or(0) }
	switch c.Code {
	case profile.EndedEarly:
		return fmt.Sprintf("the probe was ended after %s, with some questions not asked or not answered", time.Duration(figure("after")*float64(time.Millisecond)))
	case profile.RateLimited:
		return fmt.Sprintf("the server answered %.0f: it limits how much it is asked, and was left alone from then on", figure("status"))
	case profile.Busy:
		return fmt.Sprintf("this machine was busy: the probe woke up to %.0f ms too late, and its times may be off by as much", figure("late"))
	case keepalive.SeenFromHere:
		return "round trips were seen from here, not from the hop before; tell others with NAME.rtt=20ms"
	}
	return c.Code
}
