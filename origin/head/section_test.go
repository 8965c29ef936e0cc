package head

import (
	"strings"
	"testing"
)

// section takes fields in, "name: value" each.
func section(fields ...string) Section {
	s := NewSection()
	for _, f := range fields {
		i := strings.LastIndex(f, ": ")
		s.Add(f[:i], f[i+2:])
	}
	return s
}

var get = []string{":method: GET", ":scheme: https", ":authority: a.example", ":path: /x?y"}

func TestSection(t *testing.T) {
	s := section(append(get, "host: A.example", "content-length: 3", "content-length: 3", "content-type: text/plain", "te: trailers", "expect: 100-Continue")...)
	if err := s.End(); err != nil {
		t.Fatal(err)
	}
	if s.Method != "GET" || s.Path != "/x?y" || s.Length != 3 || s.ContentType != "text/plain" || !s.Expect {
		t.Errorf("%+v", s)
	}
	r, scratch := s.Request(nil)
	if string(r.Key) != "GET /x?y" || string(r.Method) != "GET" || string(r.Target) != "/x?y" || r.IsHEAD || r.ContentType != "text/plain" {
		t.Errorf("%+v", r)
	}
	other := section(":method: HEAD", ":scheme: https", ":authority: a", ":path: /")
	if r, _ := other.Request(scratch); string(r.Key) != "HEAD /" || !r.IsHEAD {
		t.Errorf("with memory that was used before: %+v", r)
	}
	if s := section(get...); s.End() != nil || s.Length != -1 {
		t.Errorf("without a length it is %d", s.Length)
	}
}

// TestSectionsThatAreNone breaks one rule each (RFC 9113, 8.2 and 8.3; RFC 9114, 4.2 and 4.3).
func TestSectionsThatAreNone(t *testing.T) {
	without := func(name string) (rest []string) {
		for _, f := range get {
			if !strings.HasPrefix(f, name+": ") {
				rest = append(rest, f)
			}
		}
		return rest
	}
	for _, test := range []struct {
		fields []string
		why    string
	}{
		{append(get, "Accept: x"), `"Accept" is no field name`},
		{append(get, "a b: x"), "is no field name"},
		{append(get, "a: x\x00"), "cannot stand in a field"},
		{append(get, "a:  x"), "cannot stand in a field"},
		{append(get, "connection: close"), "belongs to connections of HTTP/1"},
		{append(get, "transfer-encoding: chunked"), "belongs to connections of HTTP/1"},
		{append(get, "te: gzip"), `"te" is not "trailers"`},
		{append(get, "content-length: x"), "content-length is not one number"},
		{append(get, "content-length: 1", "content-length: 2"), "content-length is not one number"},
		{append(get, ":path: /"), `":path" comes twice`},
		{append(get, ":status: 200"), "is no pseudo-header field of a request"},
		{append([]string{"a: b"}, get...), "comes behind other fields"},
		{without(":method"), "there is no :method"},
		{without(":scheme"), "there is no :scheme"},
		{without(":path"), ":path is not an absolute path"},
		{without(":authority"), "there is neither :authority nor host"},
		{append(without(":path"), ":path: *"), ":path is not an absolute path"},
		{append(get, "host: b.example"), "host and :authority differ"},
		{append(get, "host: a.example", "host: a.example"), "host or :authority is not one host"},
		{append(get, "host: a/b"), "host or :authority is not one host"},
		{[]string{":method: CONNECT", ":authority: a:1", ":path: /"}, "CONNECT takes :authority and nothing else"},
	} {
		s := section(test.fields...)
		if err := s.End(); err == nil || !strings.Contains(err.Error(), test.why) {
			t.Errorf("%q: %v, want %s", test.fields, err, test.why)
		}
	}
	for _, fields := range [][]string{
		append(without(":authority"), "host: a.example"),
		{":method: OPTIONS", ":scheme: https", ":authority: a", ":path: *"},
		{":method: CONNECT", ":authority: a:1"},
	} {
		if s := section(fields...); s.End() != nil {
			t.Errorf("%q: %v", fields, s.End())
		}
	}
}
