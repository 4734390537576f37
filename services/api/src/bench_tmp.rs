#[test]
#[ignore = "measures"]
fn throughput() {
    use std::time::{Duration, Instant};
    use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
    let (tx, rx) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let rig = crate::testing::Rig::new().await;
            rig.session("shop").await;
            let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
            tx.send(listener.local_addr().unwrap()).unwrap();
            crate::serve(listener, rig.router(), &rig.state.settings, rig.shutdown.clone()).await;
        });
    });
    let address = rx.recv().unwrap();
    for path in ["/health", "/session", "/status"] {
        tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(async {
            let mut tasks = tokio::task::JoinSet::new();
            let started = Instant::now();
            for _ in 0..64 {
                tasks.spawn(async move {
                    let mut stream = tokio::net::TcpStream::connect(address).await.unwrap();
                    stream.set_nodelay(true).unwrap();
                    let request = format!(
                        "GET {path} HTTP/1.1\r\nhost: x\r\nauthorization: Basic YWRtaW46YWRtaW4=\r\n\r\n"
                    );
                    let mut buffer = [0u8; 4096];
                    let mut count = 0u64;
                    while started.elapsed() < Duration::from_secs(4) {
                        stream.write_all(request.as_bytes()).await.unwrap();
                        let n = stream.read(&mut buffer).await.unwrap();
                        assert!(
                            buffer[..n].starts_with(b"HTTP/1.1 200"),
                            "{}",
                            String::from_utf8_lossy(&buffer[..n])
                        );
                        count += 1;
                    }
                    count
                });
            }
            let mut total = 0;
            while let Some(count) = tasks.join_next().await {
                total += count.unwrap();
            }
            println!("{path}: {} per second", total as f64 / started.elapsed().as_secs_f64());
        });
    }
}
