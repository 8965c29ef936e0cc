package page_test

import (
	"fmt"
	"strings"

	"linger"
	"linger/page"
	"linger/trace"
)

// A page is fetched from a map of responses in place of a server.
func Example() {
	server := map[string]string{
		"/":          `<link rel=stylesheet href=style.css><img src=cat.jpg><img src="//cdn.example/dog.jpg">`,
		"/style.css": `body { background: url("paper.png") }`,
	}
	u, err := page.ParseURL("http://example.org/")
	if err != nil {
		fmt.Println(err)
		return
	}
	v := page.NewVisit("example", u, linger.Strategy{}, "GET", 0)
	asked := v.First().Exchanges
	for i := 0; i < len(asked); i++ {
		x, search := v.Exchange(i)
		kind := map[page.Search]string{page.AsDocument: "text/html", page.AsSheet: "text/css"}[search]
		r := page.Response{URL: v.Locate(x.Path), Status: 200, Search: search, Content: strings.NewReader(server[x.Path]),
			Field: func(name string) string { return map[string]string{"Content-Type": kind}[name] }}
		r.References(func(ref page.Reference) {
			if next, ok := v.Add(i, ref); ok {
				asked = append(asked, next)
			}
		})
		v.Learn(i, 200, kind, 0, int64(len(server[x.Path])))
	}
	found := v.Result(&trace.Trace{Exchanges: make([]trace.Exchange, len(asked))})
	for _, x := range found.Workload.Exchanges {
		fmt.Println(x.Path, x.Parent)
	}
	fmt.Println("elsewhere:", found.Elsewhere)
	// Output:
	// / -1
	// /style.css 0
	// /cat.jpg 0
	// /paper.png 1
	// elsewhere: 1
}
