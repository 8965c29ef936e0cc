package words

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"linger/finding"
	"linger/keepalive"
	"linger/profile"
)

const second = profile.Duration(time.Second)

func told(d profile.Duration) keepalive.Limit {
	return keepalive.Limit{Source: keepalive.FromUser, Value: d}
}

func measured(d, uncertainty profile.Duration) keepalive.Limit {
	return keepalive.Limit{Source: keepalive.FromProbe, Value: d, Uncertainty: uncertainty}
}

func TestPairsAreTold(t *testing.T) {
	endless := keepalive.Limit{Source: keepalive.FromDefault, Endless: true}
	waited := keepalive.Limit{Source: keepalive.FromWait, Value: 20 * second}
	for _, c := range []struct {
		pool, server keepalive.Limit
		want         string
	}{
		{told(60 * second), measured(75*second, second/10), "lb keeps idle connections for 60 s (told), app closes them after 74.9–75.1 s (measured)"},
		{told(90 * second), told(75 * second), "lb keeps idle connections for 90 s (told), app closes them after 75 s (told): a request may be sent on a connection that is being closed"},
		{endless, told(75 * second), "lb keeps idle connections forever (default), app closes them after 75 s (told): a request may be sent on a connection that is being closed"},
		{endless, endless, "lb keeps idle connections forever (default), app never closes them (default)"},
		{endless, waited, "lb keeps idle connections forever (default), app closes them after at least 20 s (measured): too long to be observed; raise --max-wait, or state its timeout"},
		{told(60 * second), waited, "lb keeps idle connections for 60 s (told), app closes them after at least 20 s (measured): too short a wait to tell; raise --max-wait"},
		{told(60 * second), told(60*second + second/100), "lb keeps idle connections for 60 s (told), app closes them after 60.01 s (told): the margin must exceed an RTT plus the uncertainty of the timeouts, 20 ms"},
		{keepalive.Limit{}, told(60 * second), "for how long lb keeps idle connections is not known; say lb=60s, or which software it is"},
		{keepalive.Limit{Source: keepalive.FromNowhere, Note: "no default of it is known"}, told(60 * second), "for how long lb keeps idle connections is not known (no default of it is known); say lb=60s, or which software it is"},
		{told(60 * second), keepalive.Limit{Source: keepalive.FromNowhere, Note: "it fell silent"}, "after how long app closes idle connections is not known (it fell silent)"},
	} {
		chain := keepalive.Judge([]keepalive.Hop{{Name: "lb", Opens: c.pool}, {Name: "app", Accepts: c.server, RTT: keepalive.Trip{Value: second / 50}}})
		if got := ChainPair(chain.Pairs[0]); got != c.want {
			t.Errorf("%s\nwant %s", got, c.want)
		}
	}
}

func TestChangesAndNotesAreTold(t *testing.T) {
	hop := func(name, software string) keepalive.Hop {
		return keepalive.Hop{Name: name, Software: software, Accepts: keepalive.LimitFrom(software, keepalive.Accepts), Opens: keepalive.LimitFrom(software, keepalive.Opens)}
	}
	for _, c := range []struct {
		name string
		hops []keepalive.Hop
		want []string // of all pairs, changes before notes
	}{
		{"both can be set", []keepalive.Hop{hop("client", "curl"), hop("app", "nginx")}, []string{
			"raise app's keep-alive timeout towards its clients to 130 s (above 118 s); in nginx (http, server or location): keepalive_timeout 130s;",
			"lower client's keep-alive timeout towards its servers to 67 s (below 75 s); in libcurl (the handle): curl_easy_setopt(handle, CURLOPT_MAXAGE_CONN, 67L)",
			"libcurl: looks whether the server has closed before it uses a connection again", "nginx: Debian's configuration says 65 s",
		}},
		{"one setting for both sides", []keepalive.Hop{hop("client", "chromium"), hop("lb", "aws-alb"), hop("app", "nginx")}, []string{
			"raise lb's keep-alive timeout towards its clients to 330 s (above 300 s); in AWS Application Load Balancer (load balancer attributes): idle_timeout.timeout_seconds=330",
			"Chromium: 60 s for one that was never used; asks again by itself where a kept connection turns out to be closed",
			"AWS Application Load Balancer: the one attribute is the limit towards the targets, too",
			"raise app's keep-alive timeout towards its clients to 363 s (above 330 s); in nginx (http, server or location): keepalive_timeout 363s;",
			"AWS Application Load Balancer: the one attribute is the limit towards the clients, too", "nginx: Debian's configuration says 65 s",
			"lb has one setting for both its sides: set as advised above, it keeps connections for 330 s", "that would break this pair, which is right as it is",
		}},
		{"what was seen is no promise", []keepalive.Hop{hop("lb", "haproxy"), hop("app", "gunicorn")}, []string{
			"raise app's keep-alive timeout towards its clients to 22 s (above 20 s); in gunicorn (configuration file; workers of the kind sync keep none): keepalive = 22",
			"lower lb's keep-alive timeout towards its servers to 1 s (below 2 s); in HAProxy (server line; a connection was seen to last three to four of these): pool-purge-delay 250ms",
			"HAProxy guarantees no timeout: 20 s is what was observed after a load had ended",
			"HAProxy: every pool-purge-delay",
		}},
		{"unknown software", []keepalive.Hop{{Name: "a", Opens: told(90 * second)}, {Name: "b", Accepts: told(60 * second)}}, []string{
			"raise b's keep-alive timeout towards its clients to 99 s (above 90 s)", "lower a's keep-alive timeout towards its servers to 54 s (below 60 s)",
		}},
		{"to lower one would lower the other", []keepalive.Hop{hop("lb", "aws-alb"), hop("app", "gunicorn")}, []string{
			"raise app's keep-alive timeout towards its clients to 66 s (above 60 s); in gunicorn (configuration file; workers of the kind sync keep none): keepalive = 66",
			"AWS Application Load Balancer: the one attribute",
			"AWS Application Load Balancer has one setting for both its sides: lowering it would also lower it towards lb",
		}},
		{"nothing can be set", []keepalive.Hop{hop("lb", "gcp-lb"), hop("edge", "aws-alb")}, []string{
			"raise edge's keep-alive timeout towards its clients to 660 s (above 600 s); in AWS Application Load Balancer (load balancer attributes): idle_timeout.timeout_seconds=660",
			"AWS Application Load Balancer: the one attribute",
		}},
	} {
		var got []string
		for _, p := range keepalive.Judge(c.hops).Pairs {
			for _, change := range p.Changes {
				got = append(got, ChainChange(change))
			}
			for _, note := range p.Notes {
				got = append(got, ChainNote(note))
			}
		}
		if len(got) != len(c.want) {
			t.Errorf("%s: %q\nwant %q", c.name, got, c.want)
			continue
		}
		for i := range got {
			if !strings.HasPrefix(got[i], c.want[i]) {
				t.Errorf("%s: %s\nwant %s", c.name, got[i], c.want[i])
			}
		}
	}
	fixed := finding.Finding{Code: keepalive.CannotBeSet, Subject: finding.Subject{Name: "Firefox"}, Figures: finding.Figures{finding.Number("limit", 115_000, "ms")}}
	if got := ChainNote(fixed); got != "neither side can be set: Firefox keeps connections for 115 s in any case" {
		t.Error(got)
	}
}

// The documents have their sentences where they had them before there were codes.
func TestDocumentsHaveTheirSentences(t *testing.T) {
	chain := keepalive.Judge([]keepalive.Hop{{Name: "a", Software: "curl", Opens: told(90 * second)}, {Name: "b", Software: "nginx", Accepts: keepalive.LimitFrom("nginx", keepalive.Accepts)}})
	chain.Caveats = []finding.Caveat{{Code: keepalive.SeenFromHere}}
	p := &profile.Profile{Format: profile.Format, Caveats: []finding.Caveat{
		{Code: profile.EndedEarly, Figures: finding.Figures{finding.Number("after", 100_000, "ms")}},
		{Code: profile.RateLimited, Figures: finding.Figures{finding.Number("status", 429, "")}},
		{Code: profile.Busy, Figures: finding.Figures{finding.Number("late", 120, "ms")}},
		{Code: "one of a later version"},
	}}
	for _, c := range []struct {
		document any
		want     []string
	}{
		{OfChain(chain), []string{`"text":"a keeps idle connections for 90 s (told), b closes them after 75 s (default): a request`, `"text":"raise b`, `"notes":["nginx: Debian`, `"caveats":[{"code":"path","text":"RTTs were measured from here`}},
		{OfProfile(p), []string{`"caveats":[{"code":"late","text":"the probe was stopped after 1m40s`, `"text":"the server answered 429: it limits`, `"text":"this machine was busy: timers fired up to 120 ms late`, `{"code":"one of a later version","text":"one of a later version"}]`}},
		{OfProbed([]profile.Probed{{Line: 1, Target: "http://a/", Profile: p}, {Line: 2, Target: "http://b/", Failed: "no"}}),
			[]string{`[{"line":1,"target":"http://a/","policy":{"format":"linger connection policy 2"`, `"caveats":[{"code":"late","text":"the probe`, `{"line":2,"target":"http://b/","error":"no"}]`}},
	} {
		b, err := json.Marshal(c.document)
		if err != nil {
			t.Fatal(err)
		}
		for _, want := range c.want {
			if !strings.Contains(string(b), want) {
				t.Errorf("%s\nlacks %s", b, want)
			}
		}
	}
}
