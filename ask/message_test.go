package ask

import (
	"strings"
	"testing"

	"linger"
)

func TestParseField(t *testing.T) {
	for text, want := range map[string]Field{
		"X-A: b":       {Name: "X-A", Value: "b"},
		"X-A:b: c\t":   {Name: "X-A", Value: "b: c"},
		"Accept:":      {Name: "Accept", Absent: true},
		"X-Empty;":     {Name: "X-Empty"},
		"Host: a.test": {Name: "Host", Value: "a.test"},
	} {
		if got, err := ParseField(text); err != nil || got != want {
			t.Errorf("%q: %+v, %v, want %+v", text, got, err, want)
		}
	}
	for _, text := range []string{"", ":", "secret", "X A: secret", "X-A: secret\r\nX-B: c", "X-A: \x00secret", "connection: secret", "Content-Length: 3", "Transfer-Encoding: secret"} {
		got, err := ParseField(text)
		if err == nil {
			t.Errorf("%q: %+v, want an error", text, got)
		} else if strings.Contains(err.Error(), "secret") {
			t.Errorf("%q: the error repeats the value: %v", text, err)
		}
	}
}

// TestMessageInHeads shows which fields of the client a message replaces, in each version.
func TestMessageInHeads(t *testing.T) {
	m := Message{Agent: "own/1", Content: []byte("a=b"), Fields: []Field{
		{Name: "accept", Value: "image/*"}, {Name: "Host", Value: "b.test"}, {Name: "Accept-Encoding", Absent: true}, {Name: "X-A", Value: "1"}, {Name: "X-A", Value: "2"}}}
	head := func(q Request) string {
		return strings.ReplaceAll(string(AppendHTTP1(nil, q, linger.Strategy{Version: "1.1"}, "b.test", m)), "\r\n", "|")
	}
	first := Request{Exchange: linger.Exchange{Method: m.FirstMethod(), Path: "/", RequestBody: 3}, Encoding: "gzip"}
	want := "POST / HTTP/1.1|Host: b.test|User-Agent: own/1|Content-Type: application/x-www-form-urlencoded|accept: image/*|X-A: 1|X-A: 2|Content-Length: 3||"
	if got := head(first); got != want {
		t.Errorf("the first request is\n%s, want\n%s", got, want)
	}
	second := Request{Exchange: linger.Exchange{Method: "GET", Path: "/b"}, Index: 1, Encoding: "gzip"}
	if got, want := head(second), "GET /b HTTP/1.1|Host: b.test|User-Agent: own/1|accept: image/*|X-A: 1|X-A: 2||"; got != want {
		t.Errorf("another is\n%s, want\n%s", got, want)
	}
	var fields []string
	for _, f := range Fields(first, "https", "b.test", m) {
		fields = append(fields, f.Name+"="+f.Value)
	}
	if got, want := strings.Join(fields, "|"), ":method=POST|:scheme=https|:authority=b.test|:path=/|user-agent=own/1|content-type=application/x-www-form-urlencoded|accept=image/*|x-a=1|x-a=2|content-length=3"; got != want {
		t.Errorf("by HTTP/2 it is\n%s, want\n%s", got, want)
	}
	m.Agent, m.Fields = "", []Field{{Name: "User-Agent", Absent: true}}
	second.RequestHead = 500
	if got := head(second); strings.Contains(got, "User-Agent") || strings.Contains(got, "..") {
		t.Errorf("without a User-Agent it is %q", got)
	}
}
