package live

import (
	"io"
	"testing"

	"linger"
	"linger/ask"
	"linger/content"
	"linger/dns"
)

func TestObjectsAreHeldAgainstTheWorkload(t *testing.T) {
	w := linger.Objects(100, 2, 100)
	whole, err := io.ReadAll(content.Body(w, 1))
	if err != nil {
		t.Fatal(err)
	}
	other := append([]byte(nil), whole...)
	other[50]++
	for _, test := range []struct {
		name   string
		config Config
		status int
		body   []byte
		want   string
	}{
		{"the workload's", Config{Verify: true}, 200, whole, ""},
		{"a byte less", Config{Verify: true}, 200, whole[1:], "body of 99 bytes, not 100"},
		{"another byte", Config{Verify: true}, 200, other, "body of 100 bytes is not the workload's"},
		{"another status", Config{Verify: true, MaxBody: 1000}, 404, whole, "status 404, not 200"},
		{"another status of a page", Config{Statuses: true, MaxBody: 1000}, 404, nil, "status 404, not 200 as when the page was visited first"},
		{"anything", Config{MaxBody: 1000}, 404, other, ""},
	} {
		app := newApplication(linger.Scenario{Workload: w}, test.config)
		var q request
		q.Index, q.Exchange = 1, w.Exchanges[1]
		keep, limit, reason := app.expect(q, test.status, "text/plain")
		if limit < int64(len(test.body)) {
			t.Errorf("%s: %d bytes are read", test.name, limit)
		}
		if keep == keepSum && reason == "" {
			sum := content.Sum(0).Add(test.body[:len(test.body)/2]).Add(test.body[len(test.body)/2:])
			_, reason = app.judge(1, nil, kept{length: int64(len(test.body)), sum: sum})
		}
		if reason != test.want {
			t.Errorf("%s: %q, want %q", test.name, reason, test.want)
		}
	}
}

func TestContentOfRequestsIsTheUsersOrTheWorkloads(t *testing.T) {
	w := linger.Workload{Scheme: linger.SchemeHTTP, Exchanges: []linger.Exchange{{Method: "POST", Path: "/a", RequestBody: 3}, {Method: "POST", Path: "/b", RequestBody: 3}}}
	app := newApplication(linger.Scenario{Workload: w}, Config{Message: ask.Message{Content: []byte("own")}})
	for i, own := range []bool{true, false} {
		var q request
		q.Index = i
		b, err := io.ReadAll(app.content(q))
		if err != nil || len(b) != 3 || (string(b) == "own") != own {
			t.Errorf("request %d has %q, %v", i, b, err)
		}
	}
}

func TestQueriesHaveTheIDOfTheirTransport(t *testing.T) {
	for _, test := range []struct {
		strategy      string
		stream        bool
		counts        bool // up from one to the next
		zero          bool
		method, scope string // of the exchange of HTTP
	}{
		{"udp", false, false, false, "", ""},
		{"udp", true, true, false, "", ""},
		{"tcp", false, true, false, "", ""},
		{"dot", false, true, false, "", ""},
		{"doq", false, false, true, "", ""},
		{"doh", false, false, true, "POST", "/dns-query"},
	} {
		s := linger.Scenario{Strategy: strategy(t, test.strategy)}
		app := newApplication(s, Config{Path: ask.DefaultPath})
		var ids [2]uint16
		for i := range ids {
			var q request
			q.Exchange.Query = linger.Query{Name: "example.org", Type: "A"}
			q = app.prepare(q, test.stream)
			m, err := dns.Read(q.Query.Message)
			if err != nil || m.ID != q.Query.ID || m.Query != q.Exchange.Query && test.method == "" {
				t.Fatalf("%s: %+v, %v", test.strategy, m, err)
			}
			if q.Method != test.method || q.Path != test.scope {
				t.Errorf("%s: asked by %q %q", test.strategy, q.Method, q.Path)
			}
			ids[i] = m.ID
		}
		if test.counts && ids[1] != ids[0]+1 || test.zero && ids != [2]uint16{} {
			t.Errorf("%s, over TCP %v: IDs %v", test.strategy, test.stream, ids)
		}
	}
	udp := newApplication(linger.Scenario{Strategy: strategy(t, "udp")}, Config{})
	if again := udp.prepare(request{again: true}, false); again.Query != nil {
		t.Error("a query that is sent again has another message")
	}
}

func TestExchangesAreNamedInTheTrace(t *testing.T) {
	web := newApplication(linger.Scenario{Workload: linger.Workload{Scheme: linger.SchemeHTTPS}}, Config{})
	if method, url := web.describe(linger.Exchange{Method: "GET", Path: "/a?b"}, "h:8443"); method != "GET" || url != "https://h:8443/a?b" {
		t.Errorf("%s %s", method, url)
	}
	names := newApplication(linger.Scenario{Strategy: strategy(t, "dot")}, Config{Host: "192.0.2.1"})
	if method, url := names.describe(linger.Exchange{Query: linger.Query{Name: "a/b.example", Type: "AAAA"}}, "x"); method != "AAAA" || url != "dns://192.0.2.1/a%2Fb.example?type=AAAA" {
		t.Errorf("%s %s", method, url)
	}
}
