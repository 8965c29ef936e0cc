package dns

import (
	"net/url"
	"strings"
	"testing"
)

func TestTargets(t *testing.T) {
	t.Parallel()
	for _, test := range []struct{ target, query, wrong string }{
		{"dns://192.0.2.1", ". NS", ""},
		{"dns://192.0.2.1:5300/", ". NS", ""},
		{"dns://[2001:db8::1]/www.example.?type=aaaa", "www.example AAAA", ""},
		{"dot://192.0.2.1/example?type=MX", "example MX", ""},
		{"dns://192.0.2.1/example?type=NONESUCH", "", "no type of record"},
		{"dns://192.0.2.1/example?class=CH", "", "not what can be asked"},
	} {
		u, err := url.Parse(test.target)
		if err != nil {
			t.Fatal(err)
		}
		query, err := Target(u)
		switch {
		case test.wrong != "" && (err == nil || !strings.Contains(err.Error(), test.wrong)):
			t.Errorf("%s: %v, want %q", test.target, err, test.wrong)
		case test.wrong == "" && err != nil:
			t.Errorf("%s: %v", test.target, err)
		case test.wrong == "" && query.String() != test.query:
			t.Errorf("%s asks %s, want %s", test.target, query, test.query)
		}
	}
}
