package infer_test

import (
	"fmt"
	"time"

	"linger"
	"linger/infer"
	"linger/trace"
)

// A browser fetched a page and, once that had come, its style sheet. The trace says when; what
// led to what is inferred.
func ExampleWorkload() {
	at := func(ms int) linger.Instant { return linger.Instant(time.Duration(ms) * time.Millisecond) }
	fetched := func(id int, path, kind string, from, to int) trace.Exchange {
		return trace.Exchange{
			ID: id, Method: "GET", URL: "https://shop.example" + path, Status: 200, Attempts: 1, ContentType: kind, ResponseBody: 1000,
			Queued: at(from), Sent: linger.Known(at(from)), FirstByte: linger.Known(at(to - 1)), Done: linger.Known(at(to)),
		}
	}
	w, notes, err := infer.Workload(&trace.Trace{Exchanges: []trace.Exchange{
		fetched(0, "/", "text/html", 0, 100),
		fetched(1, "/style.css", "text/css", 110, 150),
	}})
	if err != nil {
		fmt.Println(err)
		return
	}
	for _, e := range w.Exchanges {
		if e.Parent == linger.NoParent {
			fmt.Println(e.Method, e.Path)
		} else {
			fmt.Println(e.Method, e.Path, "after", w.Exchanges[e.Parent].Path)
		}
	}
	fmt.Println(len(notes), "guesses are told of")
	// Output:
	// GET /
	// GET /style.css after /
	// 2 guesses are told of
}
