package profile

import (
	"testing"
	"time"
)

// probed is a server that calls itself something and has an idle limit of so many seconds,
// or at least so many where bound is set, and so many requests, 0 of which are not known.
func probed(software string, idle int, bound bool, requests int, fails ...string) Probed {
	d := Duration(idle) * Duration(time.Second)
	t := Timeout{State: Measured, Spread: Spread{Median: d, Low: d, High: d, N: 1}}
	if bound {
		t = Timeout{State: AtLeast, Spread: Spread{Low: d}}
	}
	p := &Profile{Software: software, Protocols: []*Protocol{{Name: "h2"}, {Name: "http/1.1", AfterResponse: t, Requests: Count{State: Measured, N: requests}}}}
	for _, id := range fails {
		p.Cases = append(p.Cases, Result{Case: Case{ID: id}, Outcome: Fail})
	}
	return Probed{Profile: p}
}

func TestServersBySoftware(t *testing.T) {
	list := []Probed{
		probed("", 3, false, 0), {Failed: "refused"}, probed("nginx/1.22.1", 60, false, 1000, "a", "b"), probed("NGINX/1.25 (Debian)", 75, true, 100), probed("nginx", 5, false, 0, "a"),
		probed("Apache/2.4.57 (Debian) mod_x/1", 5, false, 100),
	}
	want := []Software{
		{Name: "nginx", Versions: 2, Servers: 3, Idle: Range{N: 3, Bounds: 1, Low: 5000, High: 75000, Median: 60000}, Requests: Range{N: 2, Low: 100, High: 1000, Median: 550}, Violating: 2},
		{Name: "apache", Versions: 1, Servers: 1, Idle: Range{N: 1, Low: 5000, High: 5000, Median: 5000}, Requests: Range{N: 1, Low: 100, High: 100, Median: 100}},
		{Servers: 1, Idle: Range{N: 1, Low: 3000, High: 3000, Median: 3000}},
	}
	got := BySoftware(list)
	if len(got) != len(want) {
		t.Fatalf("%+v", got)
	}
	for i, s := range got {
		if s != want[i] {
			t.Errorf("%+v\nwant %+v", s, want[i])
		}
	}
	if got := Violations(list); len(got) != 2 || got[0].ID != "a" || len(got[0].Servers) != 2 || got[1].Servers[0] != 2 {
		t.Errorf("%+v", got)
	}
}

func TestProductsOfServerFields(t *testing.T) {
	for server, want := range map[string][2]string{
		"nginx/1.22.1": {"nginx", "1.22.1"}, "Apache/2.4.57 (Debian) mod_x/1": {"apache", "2.4.57"}, " cloudflare ": {"cloudflare", ""}, "": {"", ""}, "Microsoft-IIS/10.0": {"microsoft-iis", "10.0"},
	} {
		if name, version := Product(server); name != want[0] || version != want[1] {
			t.Errorf("%q is %q, %q; want %v", server, name, version, want)
		}
	}
}
