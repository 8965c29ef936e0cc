package http3

import "testing"

func TestAlternativeIsFound(t *testing.T) {
	t.Parallel()
	for _, test := range []struct {
		value, host, port string
		ok                bool
	}{
		{`h3=":443"; ma=2592000`, "", "443", true},
		{`h3-29=":443", h3="alt.example:8443"; ma=60; persist=1`, "alt.example", "8443", true},
		{`h2=":443"; v="a,h3=b", h3="[::1]:4433"`, "::1", "4433", true},
		{`h3=":443",h3=":444"`, "", "443", true},
		{`H3=":443"`, "", "443", true},
		{"clear", "", "", false},
		{`h3=":0"`, "", "", false},
		{`h3=":99999"`, "", "", false},
		{`h3="`, "", "", false},
		{`h2=":443"`, "", "", false},
		{"", "", "", false},
	} {
		host, port, ok := alternative(test.value, "h3")
		if host != test.host || port != test.port || ok != test.ok {
			t.Errorf("%s: %q %q %v", test.value, host, port, ok)
		}
	}
}

func FuzzAlternative(f *testing.F) {
	f.Add(`h3=":443"; ma=2592000, h2="a\"b:1"`)
	f.Add(`clear`)
	f.Fuzz(func(t *testing.T, value string) {
		if _, port, ok := alternative(value, "h3"); ok != (port != "") {
			t.Errorf("%q: %q, %v", value, port, ok)
		}
	})
}
