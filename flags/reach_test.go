package flags

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"linger/live"
)

func TestReachFlags(t *testing.T) {
	f := ReachFlags{Header: []string{"X-Token: hush", "@fields"}, User: "me:hush", Data: []string{"hush"}, Resolve: []string{"a:80:192.0.2.1"}, Insecure: true, HTTP2: true}
	want := []string{"--insecure", "--header", "'X-Token: …'", "--header", "@fields", "--user", "…", "--data", "…", "--resolve", "a:80:192.0.2.1", "--http2"}
	if diff := cmp.Diff(want, f.Words()); diff != "" {
		t.Errorf("the command line to repeat it (-want +got):\n%s", diff)
	}
	for name, bad := range map[string]ReachFlags{
		"a key without a certificate": {Key: "k.pem"}, "no such file": {CACert: "nowhere.pem"}, "a method with a space": {Request: "GET /"},
		"a field of the connection": {Header: []string{"Connection: close"}}, "no password": {User: "me"}, "both families": {IPv4: true, IPv6: true},
		"no address": {Resolve: []string{"a:80"}}, "no detour": {ConnectTo: []string{"a:80"}}, "a file that is not there": {Data: []string{"@nowhere"}},
	} {
		if config, err := bad.Config("linger"); err == nil {
			t.Errorf("%s: %+v, want an error", name, config)
		}
	}
	for _, c := range []struct {
		flags       ReachFlags
		list, usual string
		want        string // empty is an error
	}{
		{ReachFlags{}, "close,h2", "keep", "close,h2"},
		{ReachFlags{HTTP2: true}, "", "close,keep:6,h2,h3", "h2"},
		{ReachFlags{HTTP1: true}, "", "close,keep:6,h2,h3", "close,keep:6"},
		{ReachFlags{HTTP3: true}, "h3,h3+0rtt", "keep", "h3,h3+0rtt"},
		{ReachFlags{HTTP3: true}, "h3,keep", "keep", ""},
		{ReachFlags{HTTP3: true}, "", "close,keep", ""},
		{ReachFlags{HTTP3: true, HTTP2: true}, "", "close,h2", ""},
	} {
		got, err := c.flags.Narrow(c.list, c.usual)
		if got != c.want || (err == nil) != (c.want != "") {
			t.Errorf("%+v of %q: %q, %v, want %q", c.flags, c.list, got, err, c.want)
		}
	}
	for text, ok := range map[string]bool{"30": true, "2.5": true, "0": false, "-1": false, "1m": false, "1e12": false} {
		if d, err := (ReachFlags{MaxTime: text}).Within("1m"); (err == nil) != ok {
			t.Errorf("--max-time %s: %v, %v", text, d, err)
		}
	}
	if _, err := (live.Config{}).Towards("http://me:hush@a.example/"); err == nil || strings.Contains(err.Error(), "hush") {
		t.Errorf("a password in a URL: %v", err)
	}
}
