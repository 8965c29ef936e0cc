package observe

import (
	"fmt"
	"strings"
	"testing"

	"linger/audit"
)

// entry is one of a HAR: begun so many ms after the first, taking so many, on a connection that
// was opened for it in so many; 0 is one that was there.
func entry(at, connect, takes int, connection string) string {
	blocked := `"connect": -1, "ssl": -1`
	if connect > 0 {
		blocked = fmt.Sprintf(`"connect": %d, "ssl": -1`, connect)
	}
	return fmt.Sprintf(`{"startedDateTime": "2026-01-02T03:04:%02d.%03dZ", "time": %d, "connection": %q, "serverIPAddress": "192.0.2.1",
		"request": {"method": "GET", "url": "http://shop.example/%d", "httpVersion": "HTTP/1.1", "headers": [], "headersSize": 60, "bodySize": 0},
		"response": {"status": 200, "statusText": "OK", "httpVersion": "HTTP/1.1", "headers": [], "content": {"size": 100, "mimeType": "text/plain"}, "redirectURL": "", "headersSize": 60, "bodySize": 100},
		"cache": {}, "timings": {"blocked": 0, "dns": -1, %s, "send": 0, "wait": %d, "receive": 0}}`,
		at/1000, at%1000, connect+takes, connection, at, blocked, takes)
}

func archive(entries ...string) string {
	return `{"log": {"version": "1.2", "creator": {"name": "test", "version": "1"}, "entries": [` + strings.Join(entries, ",") + `]}}`
}

// Of a HAR those causes are known that depend on nothing that a browser does not record.
func TestHARDecidesWhatItKnows(t *testing.T) {
	for _, c := range []struct {
		name    string
		entries []string
		want    map[audit.Cause]int
	}{
		{"a second one while the first was busy",
			[]string{entry(0, 10, 300, "1"), entry(100, 10, 100, "2")},
			map[audit.Cause]int{audit.First: 1, audit.Concurrency: 1}},
		{"a second one though the first was idle, and used later",
			[]string{entry(0, 10, 50, "1"), entry(1000, 10, 50, "2"), entry(2000, 0, 50, "1")},
			map[audit.Cause]int{audit.First: 1, audit.IdleUnused: 1}},
		{"a second one when the first may have been closed",
			[]string{entry(0, 10, 50, "1"), entry(1000, 10, 50, "2")},
			map[audit.Cause]int{audit.First: 1, audit.Undecided: 1}},
	} {
		seen, err := Reading{}.Files(t.Context(), []Source{{Name: "page.har", From: strings.NewReader(archive(c.entries...))}})
		if err != nil {
			t.Fatal(err)
		}
		got := map[audit.Cause]int{}
		for _, row := range seen.Causes {
			got[row.Cause] = row.Connections
		}
		if fmt.Sprint(got) != fmt.Sprint(c.want) || seen.Source != "har" || seen.Caveats[0].Code != audit.CaveatSource {
			t.Errorf("%s: %v, want %v; %s", c.name, got, c.want, seen.Source)
		}
	}
}

// Each of several HARs is a client, and their connections do not meet.
func TestSeveralHARs(t *testing.T) {
	one, two := archive(entry(0, 10, 50, "1"), entry(1000, 0, 50, "1")), archive(entry(3000, 10, 50, "1"))
	r := Reading{}
	sources := func() []Source {
		return []Source{{Name: "dir/a.har", From: strings.NewReader(one)}, {Name: "b.har", From: strings.NewReader(two)}}
	}
	seen, err := r.Files(t.Context(), sources())
	if err != nil {
		t.Fatal(err)
	}
	if seen.Connections != 2 || seen.Exchanges != 3 || len(seen.Clients) != 2 || seen.Clients[0].Address != "a.har" || fmt.Sprint(seen.Files) != "[a.har b.har]" {
		t.Errorf("%d connections, %d requests, clients %+v, files %v", seen.Connections, seen.Exchanges, seen.Clients, seen.Files)
	}
	r.Redact = []byte("some key that nobody has, really")
	if seen, err = r.Files(t.Context(), sources()); err != nil {
		t.Fatal(err)
	}
	if text := fmt.Sprintf("%+v", seen.Result); strings.Contains(text, "a.har") || strings.Contains(text, "shop.example") || strings.Contains(text, "192.0.2.1") {
		t.Errorf("redacted: %s", text)
	}
}

// Kinds that cannot be read together, and flags that a kind has no use for, are usage errors.
func TestKindsDoNotMix(t *testing.T) {
	har := func() Source { return Source{Name: "a.har", From: strings.NewReader(archive(entry(0, 10, 50, "1")))} }
	pcap := Source{Name: "b.pcap", From: strings.NewReader("\xd4\xc3\xb2\xa1\x02\x00\x04\x00")}
	for _, c := range []struct {
		r       Reading
		sources []Source
		want    string
	}{
		{Reading{}, []Source{har(), pcap}, "a.har is a HAR, and b.pcap is a capture; name files of one kind"},
		{Reading{KeyLogs: []Source{{}}}, []Source{har()}, "--keylog is of captures"},
		{Reading{Pick: true}, []Source{har()}, "no packets to write"},
	} {
		if _, err := c.r.Files(t.Context(), c.sources); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%v, want %s", err, c.want)
		}
	}
}
