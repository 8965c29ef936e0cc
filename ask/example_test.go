package ask_test

import (
	"fmt"
	"strings"

	"linger"
	"linger/ask"
)

// The same request as HTTP/1.1 and as HTTP/2 says it.
func Example() {
	field, err := ask.ParseField("Accept: text/html")
	if err != nil {
		fmt.Println(err)
		return
	}
	m := ask.Message{Agent: "example/1", Fields: []ask.Field{field}}
	q := ask.Request{Exchange: linger.Exchange{Method: m.FirstMethod(), Path: "/index.html"}}

	text := ask.AppendHTTP1(nil, q, linger.Strategy{Version: "1.1"}, "example.org", m)
	fmt.Print(strings.ReplaceAll(string(text), "\r\n", "\n"))
	for _, f := range ask.Fields(q, linger.SchemeHTTPS, "example.org", m) {
		fmt.Println(f.Name, "=", f.Value)
	}
	// Output:
	// GET /index.html HTTP/1.1
	// Host: example.org
	// User-Agent: example/1
	// Accept: text/html
	//
	// :method = GET
	// :scheme = https
	// :authority = example.org
	// :path = /index.html
	// user-agent = example/1
	// accept = text/html
}
