package linger

import (
	"strings"
	"testing"
)

func TestParseStrategy(t *testing.T) {
	for _, c := range []struct {
		in, name    string
		version     string
		persistent  bool
		connections int
		inFlight    int
	}{
		{"close", "close", "1.1", false, 1, 1},
		{"close:6", "close:6", "1.1", false, 6, 1},
		{"close:1", "close", "1.1", false, 1, 1},
		{"keep", "keep", "1.1", true, 1, 1},
		{"keep:256", "keep:256", "1.1", true, 256, 1},
		{"pipeline", "pipeline", "1.1", true, 1, Unlimited},
		{"pipeline:2", "pipeline:2", "1.1", true, 2, Unlimited},
		{"close+1.0", "close+1.0", "1.0", false, 1, 1},
		{"keep:6+1.0", "keep:6+1.0", "1.0", true, 6, 1},
		{"keep+1.0+1.0", "keep+1.0", "1.0", true, 1, 1},
	} {
		want := Strategy{Name: c.name, Version: c.version, Persistent: c.persistent, Connections: c.connections, InFlight: c.inFlight}
		got, err := ParseStrategy(c.in)
		if err != nil || got != want {
			t.Errorf("ParseStrategy(%q) = %+v, %v; want %+v", c.in, got, err, want)
		}
		if again, err := ParseStrategy(got.Name); err != nil || again != got {
			t.Errorf("%q does not read itself back: %+v, %v", got.Name, again, err)
		}
	}
}

func TestParseStrategyExplains(t *testing.T) {
	for in, want := range map[string]string{
		"":             `unknown strategy ""; known: close, keep, pipeline`,
		"kep":          "did you mean keep?",
		"pipe":         "did you mean pipeline?",
		"zzz":          `unknown strategy "zzz"; known:`,
		"keep:0":       "write 1 to 256, as in keep:6",
		"keep:-1":      "write 1 to 256",
		"keep:257":     "write 1 to 256",
		"keep:":        `"" is not a number of connections`,
		"keep:six":     `"six" is not a number of connections`,
		"keep+":        "nothing follows the +",
		"keep+1.1":     `unknown modifier "1.1"; did you mean 1.0?`,
		"keep+1.0+tls": `unknown modifier "tls"`,
		"pipeline+1.0": "HTTP/1.0 has no pipelining",
		"h2+1.0":       "HTTP/2 is another protocol",
		"keep+0rtt":    "no early data over TCP in Go's TLS; use h3+0rtt",
		"h2+0rtt":      "no early data over TCP",
		"h3+tfo":       "QUIC has no TCP to open",
	} {
		_, err := ParseStrategy(in)
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseStrategy(%q): %v; want it to say %q", in, err, want)
		} else if strings.Contains(err.Error(), "\n") {
			t.Errorf("ParseStrategy(%q): the error has several lines: %v", in, err)
		}
	}
}

func TestModifiers(t *testing.T) {
	for _, c := range []struct {
		in, name                     string
		resume, early, open, streams bool
	}{
		{"close+resume", "close+resume", true, false, false, false},
		{"h2:2", "h2:2", false, false, false, true},
		{"h2+tfo+resume", "h2+resume+tfo", true, false, true, true},
		{"h3+0rtt", "h3+0rtt", true, true, false, true},
		{"keep:6+tfo+1.0", "keep:6+1.0+tfo", false, false, true, false},
	} {
		got, err := ParseStrategy(c.in)
		if err != nil || got.Name != c.name || got.Resume != c.resume || got.EarlyData != c.early || got.FastOpen != c.open || got.Multiplexed != c.streams {
			t.Errorf("ParseStrategy(%q) = %+v, %v; want %+v", c.in, got, err, c)
		}
		if again, err := ParseStrategy(got.Name); err != nil || again != got {
			t.Errorf("%q does not read itself back: %+v, %v", got.Name, again, err)
		}
	}
	for _, m := range Modifiers() {
		if m.Name == "" || m.About == "" {
			t.Errorf("modifier %+v says nothing", m)
		}
	}
}

func TestFits(t *testing.T) {
	for in, want := range map[string]string{
		"close": "", "h2": "", "keep+tfo": "",
		"h3":          "QUIC is always encrypted",
		"keep+resume": "there is no TLS session to resume",
	} {
		s, err := ParseStrategy(in)
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Fits("https"); err != nil {
			t.Errorf("%s over https: %v", in, err)
		}
		if err := s.Fits("http"); (err == nil) != (want == "") || err != nil && !strings.Contains(err.Error(), want) {
			t.Errorf("%s over http: %v; want it to say %q", in, err, want)
		}
	}
	for _, scheme := range []string{"http", "https"} {
		all, err := ParseStrategies(DefaultStrategies(scheme))
		if err != nil || len(all) != 7 {
			t.Errorf("default of %s: %v, %v", scheme, all, err)
		}
		for _, s := range all {
			if err := s.Fits(scheme); err != nil {
				t.Errorf("default of %s: %v", scheme, err)
			}
		}
	}
}

func TestParseStrategies(t *testing.T) {
	all, err := ParseStrategies(DefaultStrategies("https"))
	if err != nil || len(all) != 7 {
		t.Fatalf("the default list: %d strategies, %v; want 7", len(all), err)
	}
	for i, s := range all[1:] {
		if s.Persistent != all[i].Persistent && !s.Persistent {
			t.Errorf("%s stands behind %s; the non-persistent ones come first", s.Name, all[i].Name)
		}
	}
	if got, err := ParseStrategies(" close , keep:6 "); err != nil || len(got) != 2 || got[1].Name != "keep:6" {
		t.Errorf("blanks around names: %v, %v", got, err)
	}
	for in, want := range map[string]string{
		"close,close":     "stands twice",
		"close,close:1":   "stands twice",
		"close,,keep":     `unknown strategy ""`,
		"close,keep:6,":   `unknown strategy ""`,
		"keep+1.0,closed": "did you mean close?",
	} {
		if _, err := ParseStrategies(in); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("ParseStrategies(%q): %v; want it to say %q", in, err, want)
		}
	}
}

func TestEveryFormIsAStrategy(t *testing.T) {
	for _, f := range Forms() {
		if s, err := ParseStrategy(f.Name); err != nil || s.Name != f.Name || f.About == "" {
			t.Errorf("form %+v: %+v, %v", f, s, err)
		}
	}
}
