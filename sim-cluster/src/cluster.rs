//! The step function.

use futures_executor::LocalPool;
use jiff::Timestamp;
use sim_time::SimTime;

use crate::{
    call::{Action, Answer, Frame},
    config::ClusterConfig,
    controllers, kubelet, scheduler,
    world::World,
};

/// A cluster at work.
pub struct Cluster {
    pool: LocalPool,
    world: World,
    fleet: kubelet::Fleet,
}

impl Cluster {
    /// Starts one. `epoch` is the wall clock at [`SimTime::ZERO`].
    pub fn start(config: ClusterConfig, epoch: Timestamp, seed: u64) -> Self {
        let pool = LocalPool::new();
        let world = World::new(epoch, seed, pool.spawner());
        if config.control_plane {
            controllers::start(&world, &config);
            scheduler::start(&world, &config);
        }
        let fleet = kubelet::start(&world, &config);
        Self { pool, world, fleet }
    }

    /// Goes on until nothing is left to do at `now`; what is to be done outside.
    pub fn run(&mut self, now: SimTime) -> Vec<Action> {
        self.world.advance(now);
        self.pool.run_until_stalled();
        self.world.take_actions()
    }

    /// So many more nodes join, evenly over that time. Takes effect at the next run.
    pub fn join_nodes(&mut self, count: u32, within: std::time::Duration) {
        self.fleet.join(count, within);
    }

    /// When it wants to run next even if nothing comes.
    pub fn next_wakeup(&self) -> Option<SimTime> {
        self.world.next_timer()
    }

    /// The answer to a call; an id that is not awaited is ignored. Takes effect at the next run.
    pub fn answer(&mut self, id: u64, answer: Answer) {
        self.world.answer(id, answer);
    }

    /// A frame of a watch; likewise.
    pub fn frame(&mut self, id: u64, frame: Frame) {
        self.world.frame(id, frame);
    }
}
