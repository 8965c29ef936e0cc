package profile_test

import (
	"encoding/json"
	"fmt"
	"time"

	"linger"
	"linger/profile"
)

// A probe fills a profile in; whoever reads it sees how sure a figure is.
func Example() {
	var doc profile.Profile
	h := doc.ProtocolNamed(linger.HTTP11)
	h.AfterResponse = profile.Timeout{
		State:       profile.Measured,
		Spread:      profile.SpreadOf([]time.Duration{5001 * time.Millisecond, 5003 * time.Millisecond}),
		Uncertainty: profile.Duration(2 * time.Millisecond),
		Ending:      profile.FIN,
	}
	h.Requests = profile.Count{State: profile.AtLeast, N: 35}
	fmt.Printf("idle for %s, ended by %s\n", h.AfterResponse, h.AfterResponse.Ending)
	fmt.Printf("%s requests on a connection\n", h.Requests)
	fmt.Printf("a busy connection: %s\n", h.Age)
	// Output:
	// idle for 4.999–5.005 s, ended by FIN
	// at least 35 requests on a connection
	// a busy connection: not measured
}

// JSON has the interval beside what it was made of.
func ExampleTimeout_Interval() {
	open := profile.Timeout{State: profile.AtLeast, Spread: profile.Spread{Low: profile.Duration(20 * time.Second), N: 4}}
	low, high, known := open.Interval()
	fmt.Println(low, high > profile.Duration(time.Hour), known)
	b, err := json.Marshal(open)
	fmt.Println(string(b), err)
	// Output:
	// 20 s true true
	// {"state":"at least","median_ms":0,"low_ms":20000,"high_ms":0,"n":4,"interval_ms":{"low":20000}} <nil>
}

// What a server says into an idle connection belongs to no request.
func ExampleSaidOf() {
	first := []byte("HTTP/1.1 408 Request Timeout\r\nConnection: close\r\n\r\n")
	said := profile.SaidOf(first, len(first))
	fmt.Println(said.Status, profile.FIN.After(said))
	// Output: 408 408, FIN
}

// Servers of one software are told together.
func ExampleProduct() {
	for _, field := range []string{"nginx/1.28.0", "Apache/2.4.65 (Debian)", "cloudflare"} {
		name, version := profile.Product(field)
		fmt.Printf("%q %q\n", name, version)
	}
	// Output:
	// "nginx" "1.28.0"
	// "apache" "2.4.65"
	// "cloudflare" ""
}
