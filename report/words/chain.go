package words

import (
	"fmt"
	"time"

	"linger/assert"
	"linger/finding"
	"linger/keepalive"
	"linger/profile"
)

// A ToldChain is a chain with its sentences beside the data, as JSON has it.
type ToldChain struct {
	Format   string              `json:"format"`
	Linger   string              `json:"linger,omitempty"`
	Hops     []keepalive.Hop     `json:"hops"`
	Pairs    []ToldPair          `json:"pairs"`
	Verdict  keepalive.Judgement `json:"verdict"`
	Asserted []assert.Result     `json:"assertions,omitempty"`
	Caveats  []ToldCaveat        `json:"caveats,omitempty"`
}

// A ToldPair is a pair with its sentences.
type ToldPair struct {
	keepalive.Pair
	Text    string        `json:"text"`
	Changes []ToldSetting `json:"changes,omitempty"`
	Notes   []string      `json:"notes,omitempty"`
}

// A ToldSetting is a change of one hop with its sentence.
type ToldSetting struct {
	keepalive.Change
	Text string `json:"text"`
}

// OfChain says what was found of a chain.
func OfChain(c keepalive.Chain) ToldChain {
	told := ToldChain{Format: c.Format, Linger: c.Linger, Hops: c.Hops, Verdict: c.Verdict, Asserted: c.Asserted, Caveats: OfCaveats(c.Caveats)}
	for _, p := range c.Pairs {
		pair := ToldPair{Pair: p, Text: ChainPair(p)}
		for _, change := range p.Changes {
			pair.Changes = append(pair.Changes, ToldSetting{change, ChainChange(change)})
		}
		for _, note := range p.Notes {
			pair.Notes = append(pair.Notes, ChainNote(note))
		}
		told.Pairs = append(told.Pairs, pair)
	}
	return told
}

// Limit is a limit with where it is from: "59.9–60.1 s (measured)".
func Limit(l keepalive.Limit) string {
	switch {
	case !l.Known():
		return "not known"
	case l.Endless:
		return fmt.Sprintf("forever (%s)", l.Source)
	case l.Source == keepalive.FromWait:
		return fmt.Sprintf("at least %s (measured)", l.Value)
	case l.Uncertainty > 0:
		unit, one := "s", float64(time.Second)
		if l.Value < profile.Duration(time.Second) {
			unit, one = "ms", float64(time.Millisecond)
		}
		return fmt.Sprintf("%s %s (%s)", finding.Range(float64(l.Value-l.Uncertainty)/one, float64(l.Value+l.Uncertainty)/one), unit, l.Source)
	}
	return fmt.Sprintf("%s (%s)", l.Value, l.Source)
}

// ChainPair says what is to be said of a pair.
func ChainPair(p keepalive.Pair) string {
	keeps, closes := "for "+Limit(p.Pool), "closes them after "+Limit(p.Server)
	if p.Pool.Endless {
		keeps = Limit(p.Pool)
	}
	if p.Server.Endless {
		closes = fmt.Sprintf("never closes them (%s)", p.Server.Source)
	}
	who := fmt.Sprintf("%s keeps idle connections %s, %s %s", p.Opener, keeps, p.Accepter, closes)
	switch p.Cause {
	case keepalive.PoolUnknown:
		return fmt.Sprintf("for how long %s keeps idle connections is not known%s; say %s, or which software it is", p.Opener, because(p.Pool), p.Tell)
	case keepalive.ServerUnknown:
		return fmt.Sprintf("after how long %s closes idle connections is not known%s", p.Accepter, because(p.Server))
	case keepalive.NeverSeen:
		return who + ": too long to be observed; raise --max-wait, or state its timeout"
	case keepalive.WaitTooShort:
		return who + ": too short a wait to tell; raise --max-wait"
	case keepalive.NoPoolLimit, keepalive.ServerFirst:
		return who + ": a request may be sent on a connection that is being closed"
	case keepalive.NoMargin:
		return fmt.Sprintf("%s: the margin must exceed an RTT plus the uncertainty of the timeouts, %s", who, p.Need)
	}
	return who
}

func because(l keepalive.Limit) string {
	if l.Note == "" {
		return ""
	}
	return " (" + l.Note + ")"
}

// ChainChange says what a change is: "raise app's keep-alive timeout towards its clients
// to 66 s (above 60 s); in nginx (server): keepalive_timeout 66s;".
func ChainChange(c keepalive.Change) string {
	text := ChainAdvice(c)
	if where := ChainPlace(c); where != "" {
		text += "; in " + where + ": " + c.Write
	}
	return text
}

// ChainAdvice says what is to be changed, ChainPlace in which software and where in its
// configuration; that is empty where the software is not known.
func ChainAdvice(c keepalive.Change) string {
	verb, side, than := "raise", "clients", "above"
	if c.Side == keepalive.Opens {
		verb, side, than = "lower", "servers", "below"
	}
	return fmt.Sprintf("%s %s's keep-alive timeout towards its %s to %s (%s %s)", verb, c.Hop, side, c.Limit, than, c.Past)
}

func ChainPlace(c keepalive.Change) string {
	if c.Write == "" {
		return ""
	}
	known, _ := keepalive.DefaultOf(c.Software, c.Side)
	return fmt.Sprintf("%s (%s)", known.Title, c.Where)
}

// ChainNote says what is to be known of a pair.
func ChainNote(f finding.Finding) string {
	who := f.Subject.Name
	limit := profile.Duration(f.Figures.Value("limit").Or(0) * float64(time.Millisecond))
	switch f.Code {
	case keepalive.SoftPool:
		return fmt.Sprintf("%s guarantees no timeout: %s is what was observed after a load had ended", who, limit)
	case keepalive.SoftServer:
		return fmt.Sprintf("%s guarantees no timeout: %s is what was observed", who, limit)
	case keepalive.ByDefault:
		return who + ": " + f.Figures.Text("note")
	case keepalive.RaisedToo:
		return fmt.Sprintf("%s has one setting for both its sides: set as advised above, it keeps connections for %s", who, limit)
	case keepalive.WouldSpoil:
		return "that would break this pair, which is right as it is"
	case keepalive.LoweredToo:
		return fmt.Sprintf("%s has one setting for both its sides: lowering it would also lower it towards %s", who, f.Subject.Of)
	case keepalive.CannotBeSet:
		return fmt.Sprintf("neither side can be set: %s keeps connections for %s in any case", who, limit)
	}
	return f.Code
}
