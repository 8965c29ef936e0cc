package far

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"linger"
	"linger/fault"
	"linger/lab"
	"linger/rig/host"
	"linger/service"
	"linger/trace"
)

// Each origin has a host of its own, as far away as it is, under the names that a host can have.
func TestPlaceOfFewOrigins(t *testing.T) {
	w := linger.Workload{Origins: []linger.Origin{
		{Name: "www.example"}, {Name: "img.example:8080", ExtraRTT: linger.Known(30 * time.Millisecond)},
		{Name: "192.0.2.7"}, {Name: "www.example:81"}, {Name: "origin2"},
	}}
	servers, note := Place(w)
	if note != "" || len(servers) != 5 {
		t.Fatalf("%d servers, %q", len(servers), note)
	}
	for i, want := range []struct{ name, aliases string }{{"origin", "www.example"}, {"origin2", "img.example"}, {"origin3", ""}, {"origin4", ""}, {"origin5", ""}} {
		s := servers[i]
		if s.Name != want.name || strings.Join(s.Aliases, " ") != want.aliases || len(s.Origins) != 1 || s.Origins[0] != i {
			t.Errorf("server %d is %+v, want %+v", i, s, want)
		}
	}
	if servers[1].Delay != 15*time.Millisecond || ExtraRTT(servers) != 30*time.Millisecond {
		t.Errorf("delay %v, at most %v more", servers[1].Delay, ExtraRTT(servers))
	}
	if one, note := Place(linger.Gallery(1)); len(one) != 1 || one[0].Name != host.Origin || note != "" {
		t.Errorf("of one origin: %+v, %q", one, note)
	}
}

func TestTargets(t *testing.T) {
	for _, c := range []struct {
		given string
		at    string // or what is wrong
		wrong bool
	}{
		{"127.0.0.1:8080", "origin:8080", false},
		{"localhost:80", "origin:80", false},
		{"shop=127.0.0.1:443", "shop:443", false},
		{"SHOP=127.0.0.1:443", "shop:443", false},
		{"origin=127.0.0.1:1", "origin:1", false},
		{"127.0.0.1", "is not HOST:PORT", true},
		{"127.0.0.1:0", "is not HOST:PORT", true},
		{"127.0.0.1:99999", "is not HOST:PORT", true},
		{"client=127.0.0.1:80", "the lab's own name", true},
		{"origin2=127.0.0.1:80", "the lab's own name", true},
		{"a+b=127.0.0.1:80", "cannot be a host's name", true},
		{"192.0.2.1=127.0.0.1:80", "cannot be a host's name", true},
		{"127.0.0.1:80 127.0.0.2:80", "stands twice", true},
	} {
		targets, err := ParseTargets(context.Background(), strings.Fields(c.given))
		switch {
		case c.wrong:
			if err == nil || !strings.Contains(err.Error(), c.at) || fault.KindOf(err) != fault.WrongUsage {
				t.Errorf("%s: %v; want %s", c.given, err, c.at)
			}
		case err != nil || targets[0].At() != c.at || targets[0].dial[0] != strings.ReplaceAll(targets[0].Real, "localhost", "127.0.0.1") && targets[0].dial[0] != "[::1]:80":
			t.Errorf("%s: %+v, %v; want it at %s", c.given, targets, err, c.at)
		}
	}
}

// Servers of one name share a host, of which there is one for each name.
func TestServersToTargets(t *testing.T) {
	targets, err := ParseTargets(context.Background(), []string{"shop=127.0.0.1:80", "shop=127.0.0.1:443", "127.0.0.1:8080", "api=127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, s := range ServersTo(targets) {
		names = append(names, s.Name+"="+strings.Join(s.Aliases, ","))
	}
	if got := strings.Join(names, " "); got != "origin=shop origin2= origin3=api" {
		t.Error(got)
	}
	if got, want := Announcement(targets[:1]), "the command reaches 127.0.0.1:80 at shop:80 through a relay, by TCP and UDP, and nothing else outside"; got != want {
		t.Errorf("%q; want %q", got, want)
	}
}

// What several servers have used is added up; of what was seen least often is said how often.
func TestSpent(t *testing.T) {
	servers := []Server{{Name: "origin"}, {Name: "origin2"}}
	report := func(cpu ...time.Duration) lab.Report {
		r := lab.Report{Hosts: map[string]trace.Host{
			"origin":  {Sockets: map[string]int{"ESTABLISHED": 2}, SocketsPeak: 3, SocketsLeft: 1, TimeWait: 4, SocketMemory: 10, Samples: 9},
			"origin2": {Sockets: map[string]int{"ESTABLISHED": 1, "LISTEN": 1}, SocketsPeak: 2, TimeWait: 1, SocketMemory: 5, Samples: 7},
		}}
		for _, c := range cpu {
			r.Commands = append(r.Commands, lab.Usage{CPU: c})
		}
		return r
	}
	got := Spent(servers, report(time.Second, 2*time.Second), report(3*time.Second, 5*time.Second))
	if got.CPU != 5*time.Second || got.SocketsPeak != 5 || got.SocketsLeft != 1 || got.TimeWait != 5 || got.SocketMemory != 15 || got.Samples != 7 || got.Sockets["ESTABLISHED"] != 3 || got.Sockets["LISTEN"] != 1 {
		t.Errorf("%+v", got)
	}
}

// What a server does not listen for is left out of what is tried by default.
func TestUsualStrategies(t *testing.T) {
	o, err := NewOwn("true", "https://origin:8443/", host.Reach{})
	if err != nil {
		t.Fatal(err)
	}
	defer o.Close()
	if list, note := o.Usual("https"); strings.Contains(list, "h3") || !strings.Contains(note, "UDP port 8443") {
		t.Errorf("%q, %q", list, note)
	}
	o.ports = []service.Port{{UDP: true, Number: 8443}}
	if list, note := o.Usual("https"); list != "" || note != "" {
		t.Errorf("%q, %q", list, note)
	}
	if list, note := (*Own)(nil).Usual("https"); list != "" || note != "" {
		t.Errorf("without a server: %q, %q", list, note)
	}
	for _, target := range []string{"ftp://origin/", "http://origin:port/", "http://origin:99999/"} {
		if _, err := NewOwn("true", target, host.Reach{}); fault.KindOf(err) != fault.WrongUsage {
			t.Errorf("%s: %v", target, err)
		}
	}
}

// Programs find the lab's authority where they look for theirs, with what the user has set besides.
func TestTrustJoinsWhatTheUserTrusts(t *testing.T) {
	t.Setenv("TMPDIR", t.TempDir())
	theirs, kept := filepath.Join(t.TempDir(), "theirs.pem"), filepath.Join(t.TempDir(), "kept.pem")
	if err := os.WriteFile(theirs, []byte("THEIRS"), 0o600); err != nil {
		t.Fatal(err)
	}
	env := map[string]string{"CURL_CA_BUNDLE": theirs, "PIP_CERT": theirs, "DENO_CERT": "/no/such/file"}
	trust, err := NewTrust([]byte("OURS"), kept, func(name string) string { return env[name] })
	defer trust.Discard()
	if err != nil {
		t.Fatal(err)
	}
	files := map[string]string{}
	for _, s := range trust.Settings() {
		name, file, _ := strings.Cut(s, "=")
		files[name] = file
	}
	for name, want := range map[string]string{"SSL_CERT_FILE": "OURS", "CURL_CA_BUNDLE": "THEIRS\nOURS", "PIP_CERT": "THEIRS\nOURS"} {
		if b, err := os.ReadFile(files[name]); err != nil || string(b) != want {
			t.Errorf("%s: %q, %v; want %q", name, b, err, want)
		}
	}
	if _, set := files["DENO_CERT"]; set || files["CURL_CA_BUNDLE"] != files["PIP_CERT"] {
		t.Errorf("%v", files)
	}
	if b, err := os.ReadFile(kept); err != nil || string(b) != "OURS" {
		t.Errorf("kept is %q, %v", b, err)
	}
	trust.Discard()
	if _, err := os.Stat(files["SSL_CERT_FILE"]); !os.IsNotExist(err) {
		t.Errorf("left behind: %v", err)
	}
}
