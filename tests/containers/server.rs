//! A PostgreSQL in a container of its own, removed when its test ends.

use respool_test_support::site::wait_until;
use std::net::TcpListener;
use testcontainers::bollard::Docker;
use testcontainers::bollard::query_parameters::{
    KillContainerOptions, ListImagesOptions, StartContainerOptions, StopContainerOptions,
};
use testcontainers::core::client::docker_client_instance;
use testcontainers::core::{ExecCommand, IntoContainerPort, Mount, WaitFor};
use testcontainers::runners::AsyncRunner;
use testcontainers::{ContainerAsync, ContainerRequest, GenericImage, ImageExt};
use tokio::runtime::Runtime;

/// What `scripts/test-image` makes, by the server's major version.
const IMAGE: &str = "respool-test-postgres";
const PORT: u16 = 5432;
/// No name of a user could be the password by chance, and the url has nothing to escape.
const PASSWORD: &str = "in-a-container";
/// The image's own place for the data.
const DATA: &str = "/var/lib/postgresql/data";

/// The server, and how it is reached from here: at the same port whatever is done to it.
pub struct Server {
    /// None once it is removed.
    container: Option<ContainerAsync<GenericImage>>,
    docker: Docker,
    port: u16,
    runtime: Runtime,
}

impl Server {
    /// Starts one with an empty database, as durable as any.
    pub fn new() -> Self {
        Self::of(|request| request)
    }

    /// The same with so much room for its data. Its log lies elsewhere: a server whose log is full ends, and goes on only
    /// when there is room at its start.
    pub fn small(size: &str) -> Self {
        let data = Mount::tmpfs_mount(DATA).with_size(size);
        Self::of(|request| {
            let request = request.with_env_var("PGWAL", "/var/lib/postgresql/wal");
            request.with_mount(data)
        })
    }

    fn of(how: impl FnOnce(ContainerRequest<GenericImage>) -> ContainerRequest<GenericImage>) -> Self {
        let runtime = Runtime::new().expect("a runtime can be made");
        let port = free_port();
        let (docker, container) = runtime.block_on(async {
            let docker = docker_client_instance().await.expect("a Docker engine answers");
            let image = GenericImage::new(IMAGE, &newest(&docker).await)
                .with_wait_for(WaitFor::message_on_stderr("ready to accept connections"))
                .with_env_var("POSTGRES_PASSWORD", PASSWORD)
                .with_mapped_port(port, PORT.tcp());
            let started = how(image).start().await;
            (docker, started.expect("a container can be started"))
        });
        let server = Self {
            container: Some(container),
            docker,
            port,
            runtime,
        };
        server
            .run(&["createdb", "-U", "respool", "respool"])
            .expect("an empty database");
        server
    }

    /// What `[catalogue] url` is to say.
    pub fn url(&self) -> String {
        format!("postgres://respool:{PASSWORD}@127.0.0.1:{}/respool", self.port)
    }

    fn container(&self) -> &ContainerAsync<GenericImage> {
        self.container.as_ref().expect("it is removed last of all")
    }

    /// Ends every process in it at once.
    pub fn kill(&self) {
        let killed = self
            .docker
            .kill_container(self.container().id(), None::<KillContainerOptions>);
        self.runtime.block_on(killed).expect("it ran");
        wait_until("the container has ended", || !self.is_running());
    }

    /// Asks the server to stop, as an operator or an update does, and waits until it has.
    pub fn stop(&self) {
        let stopped = self
            .docker
            .stop_container(self.container().id(), None::<StopContainerOptions>);
        self.runtime.block_on(stopped).expect("it ran");
    }

    /// Starts what was killed or stopped, and waits until it takes connections.
    pub fn start(&self) {
        let started = self
            .docker
            .start_container(self.container().id(), None::<StartContainerOptions>);
        self.runtime.block_on(started).expect("it is there");
        wait_until("the server takes connections", || {
            self.run(&["pg_isready", "-q"]).is_ok()
        });
    }

    /// Stops every process in it where it is.
    pub fn pause(&self) {
        self.runtime.block_on(self.container().pause()).expect("it runs");
    }

    /// Lets them go on.
    pub fn unpause(&self) {
        self.runtime.block_on(self.container().unpause()).expect("it is paused");
    }

    /// Takes all the room that is left for data.
    pub fn fill(&self) {
        let full = self.run(&["sh", "-c", &format!("cat /dev/zero >{DATA}/ballast")]);
        let said = full.expect_err("the room has an end");
        assert!(said.contains("No space left on device"), "{said}");
    }

    /// Gives it back.
    pub fn make_room(&self) {
        self.run(&["rm", &format!("{DATA}/ballast")]).expect("it was filled");
    }

    fn is_running(&self) -> bool {
        let runs = self.runtime.block_on(self.container().is_running());
        runs.expect("the engine answers")
    }

    /// Runs a command in the container; what it says when it fails.
    fn run(&self, command: &[&str]) -> Result<(), String> {
        self.runtime.block_on(async {
            let command = ExecCommand::new(command.iter().copied());
            let mut ran = self.container().exec(command).await.map_err(|e| e.to_string())?;
            let said = ran.stderr_to_vec().await.map_err(|e| e.to_string())?;
            match ran.exit_code().await.map_err(|e| e.to_string())? {
                Some(0) => Ok(()),
                _ => Err(String::from_utf8_lossy(&said).into_owned()),
            }
        })
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(container) = self.container.take()
            && let Err(why) = self.runtime.block_on(container.rm())
        {
            eprintln!("a container of this test is left: {why}");
        }
    }
}

/// The tag of the newest image that is here; none is ever pulled.
async fn newest(docker: &Docker) -> String {
    let images = docker.list_images(None::<ListImagesOptions>).await;
    let images = images.expect("the engine lists its images");
    let tags = images.iter().flat_map(|image| &image.repo_tags);
    let majors = tags.filter_map(|tag| tag.strip_prefix(IMAGE)?.strip_prefix(':')?.parse::<u32>().ok());
    let newest = majors.max();
    newest
        .expect("there is an image: scripts/test-image makes it")
        .to_string()
}

/// A port that a container keeps when it is started again, which one that the engine chooses does not.
fn free_port() -> u16 {
    let free = TcpListener::bind(("127.0.0.1", 0)).expect("there is a free port");
    free.local_addr().expect("it is bound").port()
}
