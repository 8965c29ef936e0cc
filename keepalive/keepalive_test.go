package keepalive

import (
	"strings"
	"testing"
	"time"

	"linger/assert"
	"linger/finding"
	"linger/profile"
)

func told(d time.Duration) Limit { return Limit{Source: FromUser, Value: profile.Duration(d)} }

func measured(d, uncertainty time.Duration) Limit {
	return Limit{Source: FromProbe, Value: profile.Duration(d), Uncertainty: profile.Duration(uncertainty)}
}

func TestPairs(t *testing.T) {
	const s, ms = time.Second, time.Millisecond
	for _, test := range []struct {
		name         string
		pool, server Limit
		rtt          time.Duration
		want         Judgement
		margin       time.Duration // -1 is none
		trips        float64
	}{
		{"the pool gives up long before", told(60 * s), measured(75*s, 0), 20 * ms, Right, 15 * s, 750},
		{"the server gives up long before", told(90 * s), measured(60*s, 0), 20 * ms, Wrong, -30 * s, -1500},
		{"both at once", told(60 * s), told(60 * s), 20 * ms, Wrong, 0, 0},
		{"both at once, as far as can be seen", told(60 * s), measured(60*s-5*ms, 10*ms), 20 * ms, TooClose, -5 * ms, -0.25},
		{"less than a round trip", told(5 * s), told(5*s + 20*ms), 40 * ms, TooClose, 20 * ms, 0.5},
		{"a round trip and no more", told(5 * s), told(5*s + 40*ms), 40 * ms, TooClose, 40 * ms, 1},
		{"a round trip and some more", told(5 * s), told(5*s + 41*ms), 40 * ms, Right, 41 * ms, 1.02},
		{"more than a round trip, less than the doubt", told(5 * s), measured(5*s+90*ms, 60*ms), 40 * ms, TooClose, 90 * ms, 2.25},
		{"more than both", told(5 * s), measured(5*s+101*ms, 60*ms), 40 * ms, Right, 101 * ms, 2.53},
		{"a server without a limit", told(5 * s), Limit{Source: FromDefault, Endless: true}, 40 * ms, Right, -1, 0},
		{"a pool without a limit", Limit{Source: FromUser, Endless: true}, told(5 * s), 40 * ms, Wrong, -1, 0},
		{"neither has a limit", Limit{Source: FromUser, Endless: true}, Limit{Source: FromDefault, Endless: true}, 40 * ms, Right, -1, 0},
		{"waiting was longer than the pool keeps", told(60 * s), Limit{Source: FromWait, Value: profile.Duration(75 * s)}, 40 * ms, Right, 15 * s, 375},
		{"waiting was too short to tell", told(90 * s), Limit{Source: FromWait, Value: profile.Duration(75 * s)}, 40 * ms, Unclear, -15 * s, -375},
		{"waiting, and a pool without a limit", Limit{Source: FromUser, Endless: true}, Limit{Source: FromWait, Value: profile.Duration(75 * s)}, 0, Unclear, -1, 0},
		{"an unknown pool", Limit{Source: FromNowhere}, told(5 * s), 0, Unclear, -1, 0},
		{"an unknown server", told(5 * s), Limit{Source: FromNowhere}, 0, Unclear, -1, 0},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := Judge([]Hop{{Name: "a", Opens: test.pool}, {Name: "b", Accepts: test.server, RTT: Trip{Value: profile.Duration(test.rtt)}}})
			p := c.Pairs[0]
			if p.Verdict != test.want || c.Verdict != test.want {
				t.Errorf("%s, the chain %s, want %s: %s", p.Verdict, c.Verdict, test.want, p.Cause)
			}
			margin, known := p.Margin.Get()
			if known != (test.margin != -1) || known && margin != profile.Duration(test.margin) {
				t.Errorf("margin %v %v, want %v", time.Duration(margin), known, test.margin)
			}
			if p.Trips.Or(0) != test.trips {
				t.Errorf("%v round trips, want %v", p.Trips.Or(0), test.trips)
			}
			if bad := p.Verdict == Wrong || p.Verdict == TooClose; bad != (len(p.Changes) > 0) {
				t.Errorf("%s, and %d changes", p.Verdict, len(p.Changes))
			}
		})
	}
}

// TestAdviceMends: each change alone makes its pair right, and says a value that the
// software can be told.
func TestAdviceMends(t *testing.T) {
	for _, pool := range Defaults() {
		for _, server := range Defaults() {
			if pool.Side != Opens || server.Side != Accepts {
				continue
			}
			for _, limits := range [][2]time.Duration{{90, 5}, {5, 5}, {2, 1}, {600, 60}, {0, 5}} {
				keep, end := limits[0]*time.Second, limits[1]*time.Second
				opener := Hop{Name: "a", Software: pool.Software, Opens: told(keep)}
				if keep == 0 {
					opener.Opens = Limit{Source: FromUser, Endless: true}
				}
				accepter := Hop{Name: "b", Software: server.Software, Accepts: measured(end, 20*time.Millisecond), RTT: Trip{Value: profile.Duration(40 * time.Millisecond)}}
				before := Judge([]Hop{opener, accepter})
				if before.Verdict == Right {
					t.Fatalf("%v before %v is right", keep, end)
				}
				if len(before.Pairs[0].Changes) == 0 && !pool.Fixed && !pool.Both && keep > 0 {
					t.Errorf("no change for %s before %s, %v before %v", pool.Software, server.Software, keep, end)
				}
				for _, change := range before.Pairs[0].Changes {
					a, b := opener, accepter
					if change.Side == Opens {
						a.Opens = told(time.Duration(change.Limit))
					} else {
						b.Accepts = told(time.Duration(change.Limit))
					}
					if after := Judge([]Hop{a, b}); after.Verdict != Right {
						t.Errorf("%s before %s: %+v leaves it %s", pool.Software, server.Software, change, after.Verdict)
					}
					if change.Write == "" || strings.ContainsAny(strings.NewReplacer("{ keep", "", "true, t", "", " })", "").Replace(change.Write), "{}") {
						t.Errorf("%s before %s: %q cannot be written", pool.Software, server.Software, change.Write)
					}
				}
			}
		}
	}
}

// TestOneSettingForBothSides: what is raised for the client is raised towards the
// application, too, and the advice there takes it into account.
func TestOneSettingForBothSides(t *testing.T) {
	hop := func(name, software string) Hop {
		return Hop{Name: name, Software: software, Accepts: LimitFrom(software, Accepts), Opens: LimitFrom(software, Opens)}
	}
	app := hop("app", "nginx") // 75 s, right behind 60 s
	c := Judge([]Hop{hop("client", "chromium"), hop("lb", "aws-alb"), app})
	front, back := c.Pairs[0], c.Pairs[1]
	if front.Verdict != Wrong || len(front.Changes) != 1 || front.Changes[0].Write != "idle_timeout.timeout_seconds=330" {
		t.Errorf("client before lb: %s, %+v", front.Verdict, front.Changes)
	}
	if back.Verdict != Right || len(back.Changes) != 1 || back.Changes[0].Write != "keepalive_timeout 363s;" {
		t.Errorf("lb before app: %s, %+v", back.Verdict, back.Changes)
	}
}

func TestRecognise(t *testing.T) {
	for field, want := range map[string]string{
		"nginx/1.22.1": "nginx", "nginx": "nginx", "openresty/1.25.3.1": "nginx", "Apache/2.4.62 (Debian)": "apache", "Apache-Coyote/1.1": "tomcat",
		"Caddy": "caddy", "envoy": "envoy", "awselb/2.0": "aws-alb", "gunicorn": "gunicorn", "uvicorn": "uvicorn",
		"Python/3.11 aiohttp/3.9.1": "aiohttp", "lighttpd/1.4.69": "lighttpd", "": "", "cloudflare": "", "Microsoft-IIS/10.0": "",
	} {
		if got := Recognise(field); got != want {
			t.Errorf("%q is taken for %q, want %q", field, got, want)
		}
	}
	for _, r := range recognised {
		if !Known(r.software) {
			t.Errorf("%s is recognised and not in the table", r.software)
		}
	}
}

func TestTheShortestLimitCounts(t *testing.T) {
	p := &profile.Profile{}
	if l := LimitOf(p); l.Known() {
		t.Errorf("of nothing: %+v", l)
	}
	p.ProtocolNamed("http/1.1").AfterResponse = profile.Timeout{State: profile.Measured, Spread: profile.Spread{Median: profile.Duration(60 * time.Second), Low: profile.Duration(59900 * time.Millisecond)}, Ending: profile.FIN}
	p.ProtocolNamed("h3").AfterResponse = profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: profile.Duration(10 * time.Second)}}
	p.ProtocolNamed("h2").AfterResponse = profile.Timeout{State: profile.Measured, Spread: profile.Spread{Median: profile.Duration(30 * time.Second), Low: profile.Duration(29900 * time.Millisecond)}, Uncertainty: profile.Duration(time.Millisecond), Ending: profile.GOAWAY}
	l := LimitOf(p)
	if l.Source != FromProbe || l.Value != profile.Duration(30*time.Second) || l.Uncertainty != profile.Duration(100*time.Millisecond) || !strings.HasPrefix(l.Note, "h2") {
		t.Errorf("%+v", l)
	}
}

// A chain's pairs are findings: each setting that mends one is a remedy.
func TestFindingsOfAChain(t *testing.T) {
	c := Judge([]Hop{
		{Name: "client", Opens: told(90 * time.Second)},
		{Name: "lb", Software: "nginx", Accepts: measured(75*time.Second, 20*time.Millisecond), Opens: LimitFrom("nginx", Opens), RTT: Trip{Value: profile.Duration(20 * time.Millisecond)}},
		{Name: "app", Accepts: Limit{Source: FromWait, Value: profile.Duration(61 * time.Second)}},
		{Name: "db", Accepts: Limit{Source: FromNowhere, Note: "nobody looked"}},
	})
	c.Hops[2].Opens = Limit{}
	found := c.Findings()
	if len(found) != 3 {
		t.Fatalf("%+v", found)
	}
	wrong, right, unknown := found[0], found[1], found[2]
	if wrong.Code != Order || wrong.Severity != finding.Error || wrong.Cause != ServerFirst || wrong.Subject != (finding.Subject{Kind: "hop", Name: "client", Of: "lb"}) {
		t.Errorf("%+v", wrong)
	}
	if wrong.Figures.Value("pool").Or(0) != 90_000 || wrong.Figures.Value("margin").Or(0) != -15_000 {
		t.Errorf("%+v", wrong.Figures)
	}
	if i, ok := wrong.Figures[1].Interval.Get(); !ok || i.Low.Or(0) != 74_980 || i.High.Or(0) != 75_020 {
		t.Errorf("%+v", wrong.Figures[1])
	}
	if len(wrong.Remedies) != 2 || wrong.Remedies[0].Write != "keepalive_timeout 99s;" || wrong.Remedies[0].Side != "server" || wrong.Remedies[0].Source == "" || wrong.Remedies[1].Side != "client" {
		t.Errorf("%+v", wrong.Remedies)
	}
	if right.Severity != finding.Pass || right.Cause != "" || !right.Figures.Value("server").IsZero() {
		t.Errorf("%+v", right)
	}
	if unknown.Severity != finding.Unknown || unknown.Cause != PoolUnknown || len(unknown.Remedies) != 0 {
		t.Errorf("%+v", unknown)
	}
}

func TestAssertionsOfAChain(t *testing.T) {
	chain := Judge([]Hop{
		{Name: "client", Opens: told(90 * time.Second)},
		{Name: "lb", Accepts: measured(75*time.Second, 20*time.Millisecond), Opens: told(60 * time.Second), RTT: Trip{Value: profile.Duration(20 * time.Millisecond)}},
		{Name: "app", Accepts: Limit{Source: FromWait, Value: profile.Duration(70 * time.Second)}, Opens: Limit{Source: FromUser, Endless: true}},
		{Name: "db", Accepts: Limit{Source: FromNowhere, Note: "nobody looked"}},
	})
	for text, want := range map[string]assert.Truth{
		"right": assert.Broken, "!right": assert.Holds,
		`margin["lb"]<0s`: assert.Holds, `margin["lb"]>=-15s`: "", `margin["app"]>=5s`: assert.Holds, `margin["app"]>=60s`: assert.NotKnown, `margin["db"]>=5s`: assert.NotKnown, `margin["client"]>=5s`: assert.NotKnown,
		`idle["lb"]>=74s`: assert.Holds, `idle["lb"]>=75s`: assert.NotKnown, `pool["client"]<idle["lb"]`: assert.Broken, `pool["lb"]<idle["app"]`: assert.Holds, `idle["client"]>1s`: assert.NotKnown,
		`pool["app"]>24h`: assert.Holds, `pool["ap"]>1s`: "", `pool>1s`: "",
	} {
		a, err := assert.Parse(text, Vocabulary("client", "lb", "app", "db"))
		if (err != nil) != (want == "") {
			t.Errorf("%s: %v", text, err)
		}
		if err != nil {
			continue
		}
		if got := a.Of(chain.Figures()); got.Truth != want {
			t.Errorf("%s: %s (%s), want %s", text, got.Truth, got.Why, want)
		}
	}
	if got := Judge([]Hop{{Name: "a", Opens: Limit{Source: FromNowhere}}, {Name: "b", Accepts: told(time.Second)}}); got.Verdict != Unclear {
		t.Error(got.Verdict)
	} else if a, _ := assert.Parse("right", Vocabulary()); a.Of(got.Figures()).Truth != assert.NotKnown {
		t.Error("nobody knows whether it is right")
	}
}
